# shellcheck shell=bash
# Guests on ringbackd's own switch, by vif-ringback, with an uplink into a bridge of dom0. guests=pv2
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
daemon
before=$(held)
bridge_up xenbr0 10.0.0.1/24
attach() { xl network-attach "g$1" "mac=00:16:3e:00:00:0$1" "bridge=$2" script=vif-ringback; }
claim "xl network-attach puts g1 on a switch" attach 1 xenbr0
claim "and g2" attach 2 xenbr0
claim "the daemon says so" grep 'vif2.0: offered to domain 2, on switch xenbr0' /out/ringbackd.log
claim "the switch has an uplink in the bridge" sh -c 'bridge link | grep "up-xenbr0.*master xenbr0.*forwarding"'
claim "g1 is reached from the bridge, by the uplink" reaches 10.0.0.2
claim "g2 too" reaches 10.0.0.3
claim "g1 and g2 reach each other" in_guest 10.0.0.2 "ping -q -c 10 -i 0.1 10.0.0.3 | grep ' 0% packet loss'"
claim "TCP flows from guest to guest" in_guest 10.0.0.2 "iperf3 -f m -c 10.0.0.3 -t 3 | grep receiver"
claim "TCP flows from the bridge to a guest" sh -c "iperf3 -f m -c 10.0.0.2 -t 3 | grep receiver"
claim "and back" sh -c "iperf3 -f m -c 10.0.0.2 -t 3 -R | grep receiver"
# What goes from guest to guest is never here: the uplink has not carried it.
uplink_bytes() { ip -json -s link show up-xenbr0 | grep -oE '"bytes":[0-9]+' | tr -dc '0-9\n' | sort -n | tail -n 1; }
guests_only() {
  local now
  now=$(uplink_bytes)
  in_guest 10.0.0.2 "iperf3 -c 10.0.0.3 -n 20M >/dev/null" && (($(uplink_bytes) - now < 1000000))
}
claim "a stream from guest to guest does not come to the uplink" guests_only
claim "xl network-detach takes g1 off" xl network-detach g1 0
claim "and g2" xl network-detach g2 0
claim "the daemon holds what it held before" until_true 5 holds "$before"
claim "the uplink is still in its bridge" sh -c 'bridge link show dev up-xenbr0 | grep "master xenbr0"'
claim "g1 comes again" attach 1 xenbr0
claim "and is reached" reaches 10.0.0.2
claim "a switch that is no bridge has an uplink of its own" attach 2 alone
alone() { ip address add 10.0.0.9/24 dev up-alone && reaches 10.0.0.3; }
ip address flush dev xenbr0
claim "which the host can give an address" alone
xl destroy g1
xl destroy g2
claim "destroyed guests leave nothing" until_true 5 holds "$before"
grep -v ' info: ' /out/ringbackd.log
verdicts
