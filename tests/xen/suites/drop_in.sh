# shellcheck shell=bash
# An unmodified xl with the stock scripts, with ringbackd where kernel netback would be. guests=pv1 timeout=900
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh

has_ping() { ping -q -c "${2:-20}" -i 0.1 "$1" | grep ' 0% packet loss'; }
no_domain() { ! xl domid "$1" >/dev/null 2>&1; }
domid_is_not() { [[ $(xl domid "$1" 2>/dev/null || echo "$2") != "$2" ]]; }
tap() { echo "vif$(xl domid "$1").${2:-0}"; }

daemon
before=$(held)
echo "before: $before"
bridge_up xenbr0 10.0.0.1/24

hot_plug() { xl network-attach g1 mac=00:16:3e:00:00:01 bridge=xenbr0 "script=$1"; }
for script in vif-bridge vif-openvswitch; do
  if [[ $script == vif-openvswitch ]]; then
    ip link delete xenbr0
    claim "Open vSwitch starts" open_vswitch_up xenbr0 10.0.0.1/24
  fi
  claim "$script: xl network-attach succeeds" hot_plug $script
  claim "$script: the guest is reached" reaches 10.0.0.2
  claim "$script: ping loses nothing" has_ping 10.0.0.2
  claim "$script: xl network-detach succeeds" xl network-detach g1 0
  claim "$script: and the daemon holds what it held before" until_true 5 holds "$before"
done
claim "vif-openvswitch has removed its port" sh -c '! ovs-vsctl list-ports xenbr0 | grep vif'
ovs-vsctl del-br xenbr0
bridge_up xenbr0 10.0.0.1/24
xl destroy g1

counts() { ip -json -s link show "$(tap g1)" | grep -oE '"packets":[0-9]+' | sort -u | grep -v ':0$'; }
knows_mac() { bridge fdb show dev "$(tap g1)" | grep -i 00:16:3e:00:00:01; }
xentop_shows() { xentop -b -i 1 -n | tee /dev/stderr | grep 'Net0 RX: *[1-9]'; }
offload_off() { ethtool -K "$(tap g1)" tso off && has_ping 10.0.0.2 5 && ethtool -K "$(tap g1)" tso on; }
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
save_under_load() {
  iperf3 -s -1 >/tmp/server 2>&1 &
  local server=$!
  in_guest 10.0.0.2 'iperf3 -c 10.0.0.1 -t 15 >/dev/null 2>&1 &'
  sleep 2
  xl save g1 /save/g1 && xl restore /save/g1 || return 1
  rm -f /save/g1
  wait $server
  grep receiver /tmp/server
}
for each in pv pvh; do
  domid=$(kind=$each vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2 && xl domid g1)
  claim "$each: xl create with a vif succeeds" test -n "$domid"
  claim "$each: the guest is reached" reaches 10.0.0.2 60
  claim "$each: ip -s link counts" counts
  claim "$each: bridge fdb knows the guest" knows_mac
  claim "$each: xentop shows what the vif carried" xentop_shows
  claim "$each: ethtool -K works on the vif" offload_off
  claim "$each: tcpdump sees its frames" tcpdump_sees
  claim "$each: xl pause and unpause" paused
  mkdir -p /save
  mount -t tmpfs -o size=330M tmpfs /save
  saved() { xl save g1 /save/g1 && xl restore /save/g1 && rm -f /save/g1; }
  claim "$each: xl save and restore" saved
  claim "$each: the guest is reached again" reaches 10.0.0.2 30
  if [[ $each == pv ]]; then
    claim "$each: a TCP stream survives xl save and restore" save_under_load
    checkpoint() { xl save -c g1 /save/g1 && rm -f /save/g1; }
    claim "$each: xl save -c and the guest goes on" checkpoint
    claim "$each: it is reached again" reaches 10.0.0.2 30
    # xl has stopped watching the domain, as it does at every suspend: a reboot would not be followed.
    xl destroy g1
    kind=$each vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2
    claim "$each: created again it is reached" reaches 10.0.0.2 60
  fi
  umount /save
  domid=$(xl domid g1)
  claim "$each: xl reboot" xl reboot -w g1
  claim "$each: it comes back as another domain" until_true 40 domid_is_not g1 "$domid"
  claim "$each: and is reached" reaches 10.0.0.2 60
  claim "$each: xl shutdown" xl shutdown -w g1
  claim "$each: the domain goes" until_true 20 no_domain g1
  claim "$each: the daemon holds what it held before" until_true 5 holds "$before"
  kind=$each vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2
  claim "$each: created again it is reached" reaches 10.0.0.2 60
  claim "$each: xl destroy" xl destroy g1
  claim "$each: the daemon holds what it held before" until_true 5 holds "$before"
done

renamed() {
  vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge,vifname=front0,mtu=1400,rate=100Mb/s' guest g1 10.0.0.2 && reaches 10.0.0.2 60 &&
    ip link show front0
}
claim "a vif with vifname, mtu and rate is served" renamed
claim "and destroyed" xl destroy g1
claim "leaving nothing" until_true 5 holds "$before"
grep -v ' info: ' /out/ringbackd.log
claim "the daemon ends when asked to" end_daemon
verdicts
