# shellcheck shell=bash
# An unmodified xl with the stock scripts, with ringbackd where kernel netback would be: Linux's bridge and Open vSwitch.
# kinds=pv,pvh busy=1 timeout=900
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh

claim "the daemon starts" daemon
before=$(held)
echo "before: $before"
memory=128 # enough for a guest without files, and less to hand over and to save

create() { vif="mac=00:16:3e:00:00:01,bridge=xenbr0,script=$script" guest g1 10.0.0.2; }
attach() { xl network-attach g1 mac=00:16:3e:00:00:01 bridge=xenbr0 "script=$script"; }
paused() { xl_clean xl pause g1 && ! ping -q -c 1 -W 1 10.0.0.2 >/dev/null && xl_clean xl unpause g1 && reaches 10.0.0.2; }
# A vif's directories: the backend's, the guest's and libxl's.
in_store() {
  xenstore-ls -f >/tmp/nodes
  [[ $(grep -cE '^/(local/domain/0/backend|(local/domain|libxl)/[0-9]+/device)/vif/([0-9]+/)?0 = ' /tmp/nodes) == "$1" ]]
}
nothing_is_left() { until_true 5 holds "$before" && in_store 0 && { [[ $script == vif-bridge ]] || no_ports; }; }

tap() { echo "vif$(xl domid g1).0"; }
# Ten pings have gone both ways.
counts() { ip -s link show "$(tap)" | awk '/RX:|TX:/ { getline; print "packets", $2; ways += $2 >= 10 } END { exit ways != 2 }'; }
knows_mac() {
  if [[ $script == vif-bridge ]]; then bridge fdb show dev "$(tap)"; else ovs-appctl fdb/show xenbr0; fi | grep -i 00:16:3e:00:00:01
}
xentop_shows() { xentop -b -i 1 -n | tee /dev/stderr | grep -E 'Net0 RX: *[1-9][0-9]*bytes *[1-9][0-9]+pkts .* TX: *[1-9][0-9]*bytes *[1-9][0-9]+pkts '; }
carried() { # WAY BYTES: there have been more
  local bytes
  read -r bytes <"/sys/class/net/$(tap)/statistics/$1_bytes" && ((bytes > $2))
}
tcp_goes_on() { until_true 20 carried tx $(($(<"/sys/class/net/$(tap)/statistics/tx_bytes") + 1000000)); }
offloads_change() {
  local state load status=0
  iperf3 -c 10.0.0.2 -t 100 >/dev/null &
  load=$!
  tcp_goes_on || status=1
  for state in off on; do
    ethtool -K "$(tap)" tso $state && ethtool -k "$(tap)" | grep "^tcp-segmentation-offload: $state" && tcp_goes_on || status=1
  done
  kill $load && return $status
}
saved_in_stream() {
  start_stream 10.0.0.2 10.0.0.1
  until_true 20 carried rx 1000000 && saved g1 && stream_goes_on 10.0.0.2 10.0.0.1 && stream_arrives 10.0.0.2 10.0.0.1
}
checkpoint() { xl_clean xl save -c g1 /save/g1 && rm -f /save/g1; }

for script in vif-bridge vif-openvswitch; do
  if [[ $script == vif-bridge ]]; then
    bridge_up xenbr0 10.0.0.1/24
  else
    ip link delete xenbr0
    claim "Open vSwitch starts" open_vswitch_up xenbr0 10.0.0.1/24
  fi
  what="$script, $kind"
  claim "$what: xl create with a vif" xl_clean create
  claim "$what: the guest is reached" reaches 10.0.0.2 60
  claim "$what: ping loses nothing" loses_nothing 10.0.0.2 10
  claim "$what: ip -s link counts" counts
  claim "$what: $([[ $script == vif-bridge ]] && echo bridge fdb || echo ovs-appctl fdb/show) knows the guest" knows_mac
  # It shows no vif at all, not one of the kernel's either, where there is no Linux bridge.
  [[ $script != vif-bridge ]] || claim "$what: xentop shows what the vif carried" xentop_shows
  claim "$what: ethtool -K changes the vif's TSO, and TCP goes on" offloads_change
  claim "$what: tcpdump sees its frames" tcpdump_sees "$(tap)"
  claim "$what: xl pause and unpause" paused
  if [[ $what == "vif-bridge, pv" ]]; then
    claim "$what: xl save and restore, which a TCP stream survives" saved_in_stream
  else
    claim "$what: xl save and restore" saved g1
  fi
  claim "$what: the guest is reached again" reaches 10.0.0.2 30
  claim "$what: its vif is in three places of the store" in_store 3
  claim "$what: xl network-detach" xl_clean xl network-detach g1 0
  claim "$what: which leaves nothing: not there, nor with the daemon" nothing_is_left
  claim "$what: xl network-attach" xl_clean attach
  claim "$what: the guest is reached again" reaches 10.0.0.2
  claim "$what: xl reboot, and it comes back as another domain" reboots g1
  claim "$what: and is reached" reaches 10.0.0.2 60
  claim "$what: xl shutdown, and the domain goes" shuts_down g1
  claim "$what: which leaves nothing" nothing_is_left
  claim "$what: xl create again" xl_clean create
  claim "$what: created again it is reached" reaches 10.0.0.2 60
  if [[ $what == "vif-bridge, pv" ]]; then # xl follows no reboot after this one: it stops watching at a suspend
    claim "$what: xl save -c and the guest goes on" checkpoint
    claim "$what: it is reached again" reaches 10.0.0.2 30
  fi
  claim "$what: xl destroy" xl_clean xl destroy g1
  claim "$what: which leaves nothing" nothing_is_left
  keep_logs "$what"
  [[ $script != vif-bridge ]] || busy=$(held)
done
ovs-vsctl del-br xenbr0
bridge_up xenbr0 10.0.0.1/24

renamed() {
  vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge,vifname=front0,mtu=1400,rate=100Mb/s' guest g1 10.0.0.2
}
has_mtu() { ip link show front0 | grep ' mtu 1400 '; }
says_of_rate() { grep "vif$(xl domid g1).0: its rate is not enforced" /out/ringbackd.log; }
script="vif-bridge"
claim "a guest with vifname, mtu and rate starts" xl_clean renamed
claim "it is reached" reaches 10.0.0.2 60
claim "it has this name, and this mtu" has_mtu
claim "and the daemon says that the rate is not enforced" says_of_rate
claim "and destroyed" xl_clean xl destroy g1
claim "leaving nothing" nothing_is_left
# Busy vifs have left it code that it has run and some MiB of free heap, once. What each of the idle ones since then left shows.
has_not_grown() {
  local now
  now=$(held)
  echo "${busy##* } KiB, now ${now##* }"
  ((${now##* } <= ${busy##* } + 1024))
}
claim "its memory has not grown by 1 MiB since the guests in the bridge went" has_not_grown
no_netback() { [[ -e /sys/bus/xen-backend && ! -e /sys/bus/xen-backend/drivers/vif && ! -e /sys/module/xen_netback ]]; }
claim "the kernel's netback is not there" no_netback
claim "the daemon ends when asked to" end_daemon
verdicts
