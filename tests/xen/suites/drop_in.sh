# shellcheck shell=bash
# An unmodified xl with the stock scripts, with ringbackd where kernel netback would be. guests=pv1 timeout=900
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh

tap() { echo "vif$(xl domid "$1").${2:-0}"; }

claim "the daemon starts" daemon
before=$(held)
echo "before: $before"
bridge_up xenbr0 10.0.0.1/24

hot_plug() { xl network-attach g1 mac=00:16:3e:00:00:01 bridge=xenbr0 "script=$1"; }
create() { kind=$1 vif="mac=00:16:3e:00:00:01,bridge=xenbr0,script=${2:-vif-bridge}" guest g1 10.0.0.2; }
for script in vif-bridge vif-openvswitch; do
  if [[ $script == vif-openvswitch ]]; then
    ip link delete xenbr0
    claim "Open vSwitch starts" open_vswitch_up xenbr0 10.0.0.1/24
  fi
  claim "$script: xl network-attach succeeds" xl_clean hot_plug $script
  claim "$script: the guest is reached" reaches 10.0.0.2
  claim "$script: ping loses nothing" loses_nothing 10.0.0.2
  claim "$script: xl network-detach succeeds" xl_clean xl network-detach g1 0
  claim "$script: and the daemon holds what it held before" until_true 5 holds "$before"
done
no_ports() { ! ovs-vsctl list-ports xenbr0 | grep . && ovs-vsctl br-exists xenbr0; }
claim "vif-openvswitch has removed its port" no_ports
xl destroy g1
for each in pv pvh; do
  claim "vif-openvswitch, $each: xl create with a vif succeeds" xl_clean create $each vif-openvswitch
  claim "vif-openvswitch, $each: the guest is reached" reaches 10.0.0.2 60
  claim "vif-openvswitch, $each: xl reboot" reboots g1
  claim "vif-openvswitch, $each: and it is reached" reaches 10.0.0.2 60
  claim "vif-openvswitch, $each: xl destroy" xl_clean xl destroy g1
  claim "vif-openvswitch, $each: it has removed its ports" no_ports
  claim "vif-openvswitch, $each: the daemon holds what it held before" until_true 5 holds "$before"
done
ovs-vsctl del-br xenbr0
bridge_up xenbr0 10.0.0.1/24

# Both ways: six lines, of which the fourth and the sixth are numbers.
counts() { ip -s link show "$(tap g1)" | awk '/RX:|TX:/ { getline; print "packets", $2; ways += $2 > 0 } END { exit ways != 2 }'; }
knows_mac() { bridge fdb show dev "$(tap g1)" | grep -i 00:16:3e:00:00:01; }
xentop_shows() { xentop -b -i 1 -n | tee /dev/stderr | grep 'Net0 RX: *[1-9]'; }
offload_off() { ethtool -K "$(tap g1)" tso off && loses_nothing 10.0.0.2 5 && ethtool -K "$(tap g1)" tso on; }
tcpdump_sees() {
  timeout 20 tcpdump -Z root -n -c 3 -i "$(tap g1)" icmp >/tmp/dump 2>&1 &
  local dump=$!
  sleep 2
  ping -q -c 3 -i 0.2 10.0.0.2 >/dev/null
  wait $dump
  cat /tmp/dump
  grep 'ICMP echo' /tmp/dump
}
paused() { xl pause g1 && ! ping -q -c 1 -W 1 10.0.0.2 >/dev/null && xl unpause g1 && reaches 10.0.0.2; }
has_sent() { (($(cat "/sys/class/net/$(tap g1)/statistics/rx_bytes") > 1000000)); }
saved_in_stream() {
  start_stream 10.0.0.2 10.0.0.1
  until_true 20 has_sent && saved g1 && stream_arrives 10.0.0.2 10.0.0.1
}
checkpoint() { xl_clean xl save -c g1 /save/g1 && rm -f /save/g1; }
for each in pv pvh; do
  claim "$each: xl create with a vif succeeds" xl_clean create $each
  claim "$each: the guest is reached" reaches 10.0.0.2 60
  claim "$each: ip -s link counts" counts
  claim "$each: bridge fdb knows the guest" knows_mac
  claim "$each: xentop shows what the vif carried" xentop_shows
  claim "$each: ethtool -K works on the vif" offload_off
  claim "$each: tcpdump sees its frames" tcpdump_sees
  claim "$each: xl pause and unpause" paused
  claim "$each: xl save and restore" saved g1
  claim "$each: the guest is reached again" reaches 10.0.0.2 30
  if [[ $each == pv ]]; then
    claim "$each: a TCP stream survives xl save and restore" saved_in_stream
    claim "$each: xl save -c and the guest goes on" checkpoint
    claim "$each: it is reached again" reaches 10.0.0.2 30
    # xl has stopped watching the domain, as it does at every suspend: a reboot would not be followed.
    xl destroy g1
    claim "$each: xl create" xl_clean create $each
    claim "$each: created again it is reached" reaches 10.0.0.2 60
  fi
  claim "$each: xl reboot, and it comes back as another domain" reboots g1
  claim "$each: and is reached" reaches 10.0.0.2 60
  claim "$each: xl shutdown, and the domain goes" shuts_down g1
  claim "$each: the daemon holds what it held before" until_true 5 holds "$before"
  create $each
  claim "$each: created again it is reached" reaches 10.0.0.2 60
  claim "$each: xl destroy" xl_clean xl destroy g1
  claim "$each: the daemon holds what it held before" until_true 5 holds "$before"
done


renamed() {
  vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge,vifname=front0,mtu=1400,rate=100Mb/s' guest g1 10.0.0.2
}
has_mtu() { ip link show front0 | grep ' mtu 1400 '; }
has_rate() { xenstore-read "/local/domain/0/backend/vif/$(xl domid g1)/0/rate" | grep -E '^[0-9]+,[0-9]+$'; }
claim "a guest with vifname, mtu and rate starts" xl_clean renamed
claim "it is reached" reaches 10.0.0.2 60
claim "it has this name, and this mtu" has_mtu
claim "and the rate in its keys" has_rate
claim "and destroyed" xl_clean xl destroy g1
claim "leaving nothing" until_true 5 holds "$before"
claim "the daemon ends when asked to" end_daemon
verdicts
