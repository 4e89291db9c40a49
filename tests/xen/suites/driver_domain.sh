# shellcheck shell=bash
# ringbackd in a driver domain with xl devd, for guests with backend=driver: what drop_in shows in dom0, and some of data, restart
# and abuse. kinds=pv,pvh timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
# There is no network between dom0 and the others: their consoles carry the commands.
# shellcheck disable=SC2016 # the driver domain's own
commands='. /lib/dom0.sh; bridge_up xenbr0 10.0.0.1/24
export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib; cp -a /payload/scripts/. /etc/xen/scripts/
socat -t 20 TCP-LISTEN:7000,reuseaddr,fork EXEC:cat & udp_sweep answer 10.0.0.1 7003 & xl -vvv devd -F >/out/devd.log 2>&1 & devd=$!
daemon && kill -0 $devd'
guest_pings() {
  # One that gets no answer from ARP ends a ping, whatever -w says; xl devd may take some seconds for its script.
  on_console g1 'for i in {1..20}; do ping -q -c 1 -W 1 10.0.0.1 && break; done; ping -c 5 -i 0.1 10.0.0.1' 60 >/tmp/pings
  tail -n 11 /tmp/pings
  grep '5 received, 0% packet loss' /tmp/pings
}
# shellcheck disable=SC2016 # the guest's own
bytes_return() { # MIB
  on_console g1 "MiB=$1"'; dd if=/dev/urandom of=/random bs=1M count=$MiB 2>/dev/null &&
    sent=$(sha256sum </random) back=$(socat -t 20 - TCP:10.0.0.1:7000 </random | sha256sum) && echo "$sent $back" && [[ $sent == "$back" ]]' 60
}
# shellcheck disable=SC2016 # the sender's own
many_bytes() { # FROM TO ADDRESS: the receiver's
  on_console "$2" 'socat -u -b 262144 TCP-LISTEN:7001,reuseaddr - | sha256sum' 120 >/tmp/came &
  on_console "$1" 'dd if=/dev/urandom of=/random bs=1M count=8 2>/dev/null && { all() { for i in {1..4}; do cat /random; done; }
    all | sha256sum; all | socat -u -b 262144 - TCP:'"$3"':7001,retry=50,interval=0.1; }' 120 >/tmp/sent &&
    wait $! && grep -xFf /tmp/sent /tmp/came
}
many_bytes_both_ways() { many_bytes g1 driver 10.0.0.1 && many_bytes driver g1 10.0.0.2; }
two_queues() { [[ $(xenstore-read "/local/domain/$(xl domid g1)/device/vif/0/multi-queue-num-queues") == 2 ]]; }
# Each queue has channels of its own.
# shellcheck disable=SC2016 # the driver domain's and the guest's own
both_queues() {
  on_console g1 'cat /proc/interrupts' >/tmp/before &&
    on_console driver 'sixteen_streams() { iperf3 -f m -P 16 -c 10.0.0.2 -t 2 "$@" | received; }; sixteen_streams && sixteen_streams -R' 60 &&
    on_console g1 'cat /proc/interrupts' >/tmp/after &&
    awk '/q[01]-[rt]x/ { for (i = 2; i < NF - 2; ++i) had[$NF] += FILENAME == "/tmp/after" ? $i : -$i }
      END { for (name in had) { print name, "had", had[name]; busy += had[name] >= 100 }; exit busy != 4 }' /tmp/before /tmp/after
}
flood() { on_console driver "ping -q -f -l 8 -c 10000 10.0.0.2 | grep '10000 received, 0% packet loss'" 120; }
sweep() { on_console g1 'LD_LIBRARY_PATH=/payload/lib /payload/bin/udp_sweep sweep 10.0.0.1 7003 4500 97' 120; }
guest_offloads() { on_console g1 "ethtool -K eth0 tx on sg on tso on gso on gro on; $*"; }
# shellcheck disable=SC2015 # either that fails
without_each() {
  local feature
  for feature in tx sg tso gso gro; do
    guest_offloads "ethtool -K eth0 $feature off" && bytes_return 1 || { echo "not without $feature"; return 1; }
  done
  guest_offloads && bytes_return 1
}
at() { if [[ $1 == 10.0.0.1 ]]; then on_console driver "$2"; else on_console g1 "$2"; fi; }
# there FUNCTION [WORD]: one of these, in the driver domain, with its vif's network device and the word
there() { on_console driver "$(declare -f "$1"); $1 vif$(xl domid g1).0 ${2-}" 60; }
counts() { ip -s link show "$1" | awk '/RX:|TX:/ { getline; print $1, "bytes"; ways += $1 >= 8388608 } END { exit ways != 2 }'; }
knows_mac() { bridge fdb show dev "$1" | grep -i 00:16:3e:00:00:01; }
tso() { ethtool -K "$1" tso "$2" && ethtool -k "$1" | grep "^tcp-segmentation-offload: $2"; }
offloads_change() { there tso off && bytes_return 2 && there tso on && bytes_return 2; }
mtu_there() {
  ip link set xenbr0 mtu "$2" && ip link set "$1" mtu "$2" && ping -q -c 2 -M "do" -s $(($2 - 28)) 10.0.0.2 | grep ' 0% packet loss'
}
mtu() { on_console g1 "ip link set eth0 mtu $1" && there mtu_there "$1" && bytes_return 2; }
paused() {
  xl_clean xl pause g1 && on_console driver '! ping -q -c 1 -W 1 10.0.0.2' && xl_clean xl unpause g1 && on_console driver 'reaches 10.0.0.2' 30
}
held_in_driver() {
  echo "ports $(lsevtchn "$driver" | grep -c -i interdomain) nodes $(vif_nodes "$driver")" \
    "$(on_console driver held_here | grep '^descriptors')"
}
# A PVH guest with two vCPUs would have them on one processor (see `guest`).
create() {
  [[ $kind == pvh ]] || local vcpus=2 words=queues=2
  vif="backend=driver,mac=00:16:3e:00:00:01,bridge=xenbr0,script=$script" guest g1 10.0.0.2
}
attach() { xl network-attach g1 backend=driver mac=00:16:3e:00:00:01 bridge=xenbr0 "script=$script"; }
declare -A port=([vif-bridge]="by a tap" [vif-openvswitch]="by a tap" [vif-ringback]="on switch xenbr0")
served() {
  local domid
  domid=$(xl domid g1)
  on_console driver "grep 'vif$domid.0: offered to domain $domid, ${port[$script]}$' /out/ringbackd.log" && guest_pings
}
has_network() { says g1 'GUEST-NET eth0' 60 && served; }
nothing_is_left() { until_true 10 holds "$before" held_in_driver && { [[ $script != vif-openvswitch ]] || on_console driver no_ports; }; }
leaves_nothing() { claim "$on: $1 leaves nothing there" nothing_is_left; }
driver_log() { on_console driver 'cat /out/ringbackd.log' >/tmp/log && cat /tmp/log >>/out/ringbackd.log && grep -c 'ringbackd info: ' /tmp/log; }
# That it can't know the processors says nothing of vifs.
devd_is_content() {
  on_console driver 'grep -c ": debug:" /out/devd.log && sed /libxl_cpu_bitmap_alloc/d /out/devd.log | none_of -E "$complaint"'
}
killed_there_in() { # COMMAND...: in the middle of it
  local command
  "$@" >/tmp/command 2>&1 &
  command=$!
  sleep 1
  kill -0 $command && on_console driver 'end_daemon KILL; daemon' && wait $command || { cat /tmp/command; return 1; }
}
# It is killed while it carries a stream to the guest, which goes on; neither end leaves Connected.
killed_there() {
  local domid watch status=0
  domid=$(xl domid g1)
  xenstore-watch "/local/domain/$domid/device/vif/0/state" "/local/domain/$driver/backend/vif/$domid/0/state" >/tmp/states 2>&1 &
  watch=$!
  until_true 5 two_states && on_console driver 'iperf3 -c 10.0.0.2 -t 1000 >/dev/null 2>&1 & load=$!; sleep 1; kill -0 $load' &&
    on_console g1 "$receives" 40 && on_console driver 'end_daemon KILL; daemon' && on_console g1 "$receives" 40 &&
    on_console driver 'kill $load' && two_states || status=1
  kill $watch
  return $status
}
two_states() { [[ $(wc -l </tmp/states) == 2 ]] || { cat /tmp/states; return 1; }; } # a watch fires once when it is set
destroyed_in_transfer() {
  local tap=up-xenbr0
  [[ $script == vif-ringback ]] || tap=vif$(xl domid g1).0
  on_console driver "iperf3 -c 10.0.0.2 --bidir -t 100 >/dev/null 2>&1 & load=\$!; flows_both_ways $tap && kill -0 \$load" 30 &&
    xl_clean xl destroy g1 && on_console driver "kill \$load"
}
directory_removed() {
  local domid
  domid=$(xl domid g1)
  xenstore-rm "/local/domain/$driver/backend/vif/$domid" && until_true 10 on_console driver "grep 'vif$domid.0: gone' /out/ringbackd.log"
}
nothing_in_store() {
  xenstore-ls -f / >/tmp/nodes && none_of -E '^/(local/domain|libxl)/[1-9]|^/local/domain/0/backend/[^ ]*/[1-9]' /tmp/nodes
}
# The kind is the frontend's affair, the script the backend's: not each has to be seen with each.
if [[ $kind == pv ]]; then scripts=(vif-bridge vif-openvswitch); else scripts=(vif-bridge vif-ringback); fi
ramdisk=$(ramdisk_with udp_sweep)
before=''
start() {
  claim "a driver domain starts" xl_clean eval 'kind=pv driver_domain 400' && claim "ringbackd runs in it" on_console driver "$commands" 90 &&
    driver=$(xl domid driver) || return
  [[ -n $before ]] || before=$(held_in_driver) # the next one begins with the guest of this one
  echo "before: $before"
}
one_more() { claim "one more guest starts" create && claim "and has a network" has_network; }
destroyed() {
  claim "the log of its ringbackd is read" driver_log
  claim "its xl devd has had no error, and waited for nothing in vain" devd_is_content
  claim "the driver domain is destroyed under its guest" xl_clean xl destroy driver
}
# Without one of its guests the rest would say nothing.
show() {
  for script in "${scripts[@]}"; do
    on="$script, $kind"
    if [[ $script == vif-openvswitch ]]; then
      claim "$on: Open vSwitch takes the bridge's place there" on_console driver 'ip link delete xenbr0 && open_vswitch_up xenbr0 10.0.0.1/24' 60 || return
    fi
    claim "$on: a guest with its vif there starts" xl_clean create || return
    claim "$on: it has a network, ${port[$script]}, and reaches the driver domain" has_network
    if [[ $on != "vif-bridge, pv" ]]; then
      claim "$on: 8 MiB go there and come back with their SHA-256" bytes_return 8
    else
      claim "$on: 32 MiB arrive there with their SHA-256, and others here" many_bytes_both_ways
      claim "$on: the guest has 2 vCPUs and 2 queues" two_queues
      claim "$on: both queues carry frames, both ways" both_queues
      claim "$on: a ping flood of 10,000, eight at a time, loses nothing" flood
      claim "$on: ip -s link counts them there, both ways" there counts
      claim "$on: bridge fdb knows the guest there" there knows_mac
      claim "$on: tcpdump sees its frames there" there tcpdump_sees
      claim "$on: ethtool -K changes the vif's TSO there, and bytes come back without it and with it" offloads_change
      claim "$on: UDP of every length to 4,500 and every 97th to 65,507 arrives, there and back; one in a hundred may be sent again" sweep
      for size in 9000 1500; do claim "$on: MTU $size in the guest, and bytes come back" mtu $size; done
      claim "$on: bytes come back without the guest's tx, sg, tso, gso and gro, each alone, and with all again" without_each
      claim "$on: no checksum was wrong, there or in the guest" no_checksum_errors 10.0.0.1 10.0.0.2
    fi
    claim "$on: xl pause and unpause" paused
    claim "$on: xl network-detach" xl_clean xl network-detach g1 0
    leaves_nothing "xl network-detach"
    mark_console g1
    claim "$on: xl network-attach" xl_clean attach
    claim "$on: it has a network again" has_network
    claim "$on: ringbackd killed there in a stream to the guest, and started again: that goes on, and both ends stay Connected" killed_there
    claim "$on: ping loses nothing" guest_pings
    if [[ $kind == pv ]]; then
      claim "$on: xl save and restore" saved g1 || return
    else
      claim "$on: xl save and restore, and in the middle ringbackd killed there, and started again" killed_there_in saved g1 || return
    fi
    claim "$on: it reaches the driver domain again, ${port[$script]}" served
    claim "$on: xl reboot" reboots g1
    claim "$on: it has a network again, ${port[$script]}" has_network
    case $on in
      "vif-bridge, pv" | "vif-ringback, pvh")
        claim "$on: xl shutdown" shuts_down g1 || return
        leaves_nothing "xl shutdown"
        ;;
      *)
        claim "$on: xl destroy in the middle of a transfer both ways" destroyed_in_transfer || return
        leaves_nothing "xl destroy"
        ;;
    esac
  done
  one_more && destroyed || return
  [[ $kind == pv ]] || return 0
  # As docs/xen.md has it. The backend that the guest had is gone, and libxl waits for that in vain.
  start || return
  xl network-detach g1 0
  mark_console g1
  script="vif-bridge"
  claim "the guest of the one before gets its vif again: detached and attached" xl_clean attach
  claim "and has a network" has_network
  claim "it can be destroyed" xl_clean xl destroy g1 || return
  leaves_nothing "that"
  one_more || return
  claim "its backend directory removed by hand: ringbackd there lets go of the vif" directory_removed
  claim "it can be destroyed" xl_clean xl destroy g1 || return
  leaves_nothing "that"
  one_more && destroyed
}
start && show
claim "the guest can be destroyed after that" xl_clean xl destroy g1
claim "the store has nothing of them" until_true 5 nothing_in_store
verdicts
