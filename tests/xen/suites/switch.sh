# shellcheck shell=bash
# Guests on ringbackd's own switch, by vif-ringback, with an uplink into a bridge of dom0. (In the run for PVH guests one of the
# two is.) kinds=pv,pvh guests=pv2v2 timeout=600
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
start() { daemon --workers 2; } # who then copy to one guest at a time
claim "the daemon starts" start
before=$(held)
bridge_up xenbr0 10.0.0.1/24
# As a host has it: the bridge has the address and the MTU of a network card.
ip link add nic address fe:00:00:00:00:01 mtu 9000 type veth peer name wire
ip link set nic master xenbr0 up
create() { kind=$2 vif="mac=00:16:3e:00:00:0$1,bridge=xenbr0,script=vif-ringback" guest "g$1" "10.0.0.$(($1 + 1))"; }
tcp_flows() { at "$1" "iperf3 -f m -c $2 -t 1 ${3-}" | received; }
all='cat /random /random /random /random'
sent() { # FROM TO
  local sum
  sum=$(in_guest "$1" "dd if=/dev/urandom of=/random bs=1M count=8 2>/dev/null && $all | sha256sum") || return 1
  in_guest "$2" 'socat -u -b 262144 TCP-LISTEN:7000,reuseaddr - | sha256sum' >/tmp/came &
  in_guest "$1" "$all | socat -u -b 262144 - TCP:$2:7000,retry=50,interval=0.1" && wait $! && [[ $(</tmp/came) == "$sum" ]]
}
# What data.sh shows by a tap.
give_sweep() { # ADDRESS: that guest gets udp_sweep
  local libraries
  mapfile -t libraries < <(LD_TRACE_LOADED_OBJECTS=1 /payload/bin/udp_sweep | grep -o 'payload/lib/[^ ]*')
  in_guest "$1" 'socat -u TCP-LISTEN:7002,reuseaddr - | tar -x -C /' &
  tar -c -C / payload/bin/udp_sweep "${libraries[@]}" | socat -u - "TCP:$1:7002,retry=50,interval=0.1" && wait $!
}
sweep() {
  give_sweep 10.0.0.2 && give_sweep 10.0.0.3 || return
  in_guest 10.0.0.3 '{ LD_LIBRARY_PATH=/payload/lib /payload/bin/udp_sweep answer 10.0.0.3 7003 & } >/dev/null 2>&1 </dev/null' &&
    in_guest 10.0.0.2 'LD_LIBRARY_PATH=/payload/lib /payload/bin/udp_sweep sweep 10.0.0.3 7003 4500 97'
}
without() { # FEATURE
  in_guest 10.0.0.2 "ethtool -K eth0 tx on sg on tso on gso on gro on; ethtool -K eth0 $1 off" &&
    tcp_flows 10.0.0.2 10.0.0.3 && tcp_flows 10.0.0.3 10.0.0.2
}
data() {
  local feature
  claim "32 MiB from g1 to g2 arrive with their SHA-256" sent 10.0.0.2 10.0.0.3
  claim "and as many from g2 to g1" sent 10.0.0.3 10.0.0.2
  claim "UDP of every length to 4,500 and every 97th to 65,507 from guest to guest arrives, there and back; one in a hundred may be sent again" sweep
  claim "a ping flood of 1,000 from guest to guest loses nothing" in_guest 10.0.0.2 "ping -q -f -c 1000 10.0.0.3 | grep ' 0% packet loss'"
  for feature in tx sg tso; do claim "TCP flows both ways without g1's $feature" without $feature; done
  claim "and with all again" in_guest 10.0.0.2 'ethtool -K eth0 tx on sg on tso on gso on gro on'
  claim "no checksum was wrong, here or in the guests" no_checksum_errors 10.0.0.1 10.0.0.2 10.0.0.3
}

if [[ $kind == pvh ]]; then
  claim "g1 created as a PV guest" xl_clean create 1 pv
  claim "it is reached" reaches 10.0.0.2 60
  claim "g2 created as a PVH guest" xl_clean create 2 pvh
  claim "it is reached" reaches 10.0.0.3 60
  claim "TCP flows from the bridge to g2" tcp_flows 10.0.0.1 10.0.0.3
  data
  for i in 1 2; do claim "xl destroy takes g$i off" xl_clean xl destroy g$i; done
  claim "destroyed guests leave nothing" until_true 5 holds "$before"
  verdicts
fi

attach() { xl network-attach "g$1" "mac=00:16:3e:00:00:0$1" "bridge=$2" script=vif-ringback; }
uplink_forwards() { bridge link | grep 'up-xenbr0.*master xenbr0.*forwarding'; }
claim "xl network-attach puts g1 on a switch" xl_clean attach 1 xenbr0
claim "and g2" xl_clean attach 2 xenbr0
claim "the daemon says so" grep 'vif2.0: offered to domain 2, on switch xenbr0' /out/ringbackd.log
claim "the switch has an uplink in the bridge" uplink_forwards
is_as_before() { ip link show xenbr0 | tee /dev/stderr | grep -A1 ' mtu 9000 ' | grep 'link/ether fe:00:00:00:00:01 '; }
claim "which still has the address and the MTU of its network card" is_as_before
claim "g1 is reached from the bridge, by the uplink" reaches 10.0.0.2
claim "g2 too" reaches 10.0.0.3
claim "g1 and g2 reach each other" in_guest 10.0.0.2 "ping -q -c 10 -i 0.1 10.0.0.3 | grep ' 0% packet loss'"
claim "TCP flows from guest to guest" tcp_flows 10.0.0.2 10.0.0.3
claim "TCP flows from the bridge to a guest" tcp_flows 10.0.0.1 10.0.0.2
claim "and back" tcp_flows 10.0.0.1 10.0.0.2 -R
set_mtu() { in_guest 10.0.0.2 "ip link set eth0 mtu $1" && in_guest 10.0.0.3 "ip link set eth0 mtu $1"; }
large='ping -q -c 5 -i 0.1 -M do -s 8972' none_lost="grep ' 0% packet loss'"
jumbo() { set_mtu 9000 && $large 10.0.0.2 | eval "$none_lost" && in_guest 10.0.0.2 "$large 10.0.0.3 | $none_lost" && set_mtu 1500; }
claim "with MTU 9000 in the guests, frames of that size go from the bridge and from guest to guest" jumbo
# What goes from guest to guest is never here: the uplink has not carried it. What the bridge sends to a guest it has.
uplink_bytes() { ip -json -s link show up-xenbr0 | grep -oE '"bytes":[0-9]+' | tr -dc '0-9\n' | awk '{ sum += $1 } END { print sum }'; }
uplink_carries() { # COMMAND...: `carried` says how much meanwhile
  local before after
  before=$(uplink_bytes) && "$@" && after=$(uplink_bytes) && carried=$((after - before)) && echo "the uplink: $carried bytes"
}
from_bridge_by_uplink() { uplink_carries iperf3 -f m -c 10.0.0.2 -n 20M && ((carried > 10000000)); } # iperf3 leaves the last of it
guests_only() { uplink_carries in_guest 10.0.0.2 'iperf3 -c 10.0.0.3 -n 20M' && ((carried < 1000000)); }
claim "a stream from the bridge to a guest comes by the uplink" from_bridge_by_uplink
claim "a stream from guest to guest does not" guests_only
data
# Their frames have no tag, and in the bridge that of VLAN 10.
vlan() { xenstore-write "/local/domain/0/backend/vif/$(xl domid "$1")/0/vlan" "$2"; }
move_address() { ip address flush dev "$1" && ip address add 10.0.0.1/24 dev "$2"; } # FROM TO
use_tag() { ip link add link xenbr0 name "xenbr0.$1" type vlan id "$1" && ip link set "xenbr0.$1" up && move_address xenbr0 "xenbr0.$1"; }
use_no_tag() { move_address "xenbr0.$1" xenbr0 && ip link delete "xenbr0.$1"; }
modprobe 8021q
# A key is in force some moments after it was written.
unreached() { ! ping -q -c 1 -W 1 "$1"; }
g1_reaches_nothing() { in_guest 10.0.0.2 '! ping -q -c 1 -W 1 10.0.0.3'; }
g1_reaches_g2() { in_guest 10.0.0.2 'ping -q -c 1 -W 1 10.0.0.3'; }
in_a_vlan() { vlan g1 10p && vlan g2 10p && until_true 5 unreached 10.0.0.2 && use_tag 10; }
claim "g1 and g2 in a VLAN: the bridge reaches them no more without its tag" in_a_vlan
claim "with its tag g1 is reached" reaches 10.0.0.2
claim "and g2" reaches 10.0.0.3
claim "TCP flows from guest to guest" tcp_flows 10.0.0.2 10.0.0.3
claim "TCP flows from the bridge to a guest" tcp_flows 10.0.0.1 10.0.0.2
claim "and back" tcp_flows 10.0.0.1 10.0.0.2 -R
apart() { vlan g2 20p && until_true 5 g1_reaches_nothing && vlan g2 10p && until_true 5 g1_reaches_g2; }
claim "in two VLANs they do not reach each other, and in one again they do" apart
no_vlans() { vlan g1 '' && vlan g2 '' && use_no_tag 10; }
claim "in none again" no_vlans
claim "g1 is reached without a tag" reaches 10.0.0.2
claim "and g2" reaches 10.0.0.3
isolate() { xenstore-write "/local/domain/0/backend/vif/$(xl domid "$1")/0/ringback/isolated" "$2"; }
isolated() { isolate g1 1 && isolate g2 1 && until_true 5 g1_reaches_nothing && g1_reaches_nothing; }
one_is_not() { isolate g1 0 && until_true 5 g1_reaches_g2 && isolate g2 0; }
claim "isolated g1 and g2 do not reach each other" isolated
claim "g1 is reached by the uplink" reaches 10.0.0.2
claim "and g2" reaches 10.0.0.3
claim "one that is isolated and one that is not reach each other" one_is_not
# A script that has a policy beside what vif-ringback does: the only way for one that is there at each start of the guest.
with_policy() {
  # shellcheck disable=SC2016 # the script's own
  printf '%s\n' '#!/bin/sh' '[ "$1" != online ] || xenstore-write "$XENBUS_PATH/vlan" 20p "$XENBUS_PATH/ringback/isolated" 1 || exit 1' \
    'exec /etc/xen/scripts/vif-ringback "$@"' >/etc/xen/scripts/vlan20-vif-ringback
  chmod +x /etc/xen/scripts/vlan20-vif-ringback
  xl_clean xl network-detach g2 0 && xl_clean xl network-attach g2 mac=00:16:3e:00:00:02 bridge=xenbr0 script=vlan20-vif-ringback
}
has_policy() {
  local backend
  backend=/local/domain/0/backend/vif/$(xl domid g2)/0
  [[ $(xenstore-read "$backend/vlan" "$backend/ringback/isolated") == $'20p\n1' ]]
}
by_tag_alone() { use_tag 20 && reaches 10.0.0.3 && use_no_tag 20; }
not_without() { unreached 10.0.0.3 && g1_reaches_nothing; }
in_none() { vlan g2 '' && reaches 10.0.0.3; }
claim "g2 comes again, by a script with a policy of its own" with_policy
claim "which is in its keys" has_policy
claim "g2 is reached with the tag of its VLAN" by_tag_alone
claim "without it neither the bridge nor g1 reaches g2" not_without
claim "but in no VLAN it is reached" in_none
destroyed_in_transfer() {
  in_guest 10.0.0.2 'iperf3 -c 10.0.0.3 -t 100 >/dev/null 2>&1 </dev/null &'
  in_guest 10.0.0.3 'iperf3 -c 10.0.0.2 -t 100 >/dev/null 2>&1 </dev/null &'
  in_guest 10.0.0.2 "$receives" && in_guest 10.0.0.3 "$receives" && xl_clean xl destroy g2 && reaches 10.0.0.2
}
claim "g2 destroyed while g1 and it send to each other: g1 is reached" destroyed_in_transfer
claim "g2 created with its vif on the switch" xl_clean create 2 pv
claim "it is reached" reaches 10.0.0.3 60
claim "xl save and restore" saved g2
claim "it is reached again" reaches 10.0.0.3 30
claim "xl reboot" reboots g2
claim "it is reached again" reaches 10.0.0.3 60
claim "it and g1 reach each other" in_guest 10.0.0.2 "ping -q -c 10 -i 0.1 10.0.0.3 | grep ' 0% packet loss'"
# A frame's first 240 bytes are looked at here, and whatever the uplink has. All else goes from page to page.
copied_once() {
  end_daemon
  export LD_PRELOAD=/payload/bin/copies_seen.so COPIES_SEEN=/tmp/copies
  start
  local status=$?
  unset LD_PRELOAD
  ((status == 0)) && reaches 10.0.0.3 && in_guest 10.0.0.2 'iperf3 -c 10.0.0.3 -n 20M' | received || return 1
  end_daemon
  start && cat /tmp/copies && awk '{ exit !($2 > 20e6 && $2 < 23e6 && $4 < 0.05 * $2) }' /tmp/copies
}
claim "20 MB from guest to guest are copied once, from page to page" copied_once
claim "g1 is reached after that" reaches 10.0.0.2 30
claim "xl network-detach takes g1 off" xl_clean xl network-detach g1 0
claim "and g2" xl_clean xl network-detach g2 0
claim "the daemon holds what it held before" until_true 5 holds "$before"
in_bridge() { bridge link show dev up-xenbr0 | grep 'master xenbr0'; }
claim "the uplink is still in its bridge" in_bridge
claim "g1 comes again" xl_clean attach 1 xenbr0
claim "and is reached" reaches 10.0.0.2
claim "a switch that is no bridge has an uplink of its own" xl_clean attach 2 alone
alone() { ip address add 10.0.0.9/24 dev up-alone && reaches 10.0.0.3; }
ip address flush dev xenbr0
claim "which the host can give an address" alone
claim "xl destroy takes g1 off" xl_clean xl destroy g1
claim "and g2" xl_clean xl destroy g2
claim "destroyed guests leave nothing" until_true 5 holds "$before"
uplinks() { grep -hs '^ringback switch ' /sys/class/net/*/ifalias | sort | tr '\n' , | tee /dev/stderr | grep -x 'ringback switch alone,ringback switch xenbr0,'; }
claim "and of the two switches there is an uplink each, and no other" uplinks
verdicts
