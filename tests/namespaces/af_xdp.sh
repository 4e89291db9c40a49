#!/bin/bash
# af_xdp.sh BIN [ringbackd options]: a switch whose uplink is a network device (a veth, whose other end is a station of the network), also after the
# daemon was killed, and what becomes of a device that is not there, or goes.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

keys=/local/domain/0/ringback/switch/lab
write() { lab_as 0 xenstore-write "$keys/$1" "$2"; }
error_is() { [[ $(lab_as 0 xenstore-read "$keys/error" 2>/dev/null) == *"$1"* ]]; }
is_cut_off() { ! reaches "$@"; }
has_no_error() { ! lab_as 0 xenstore-read "$keys/error" >/dev/null 2>&1; }

# Domain 9 is the network (with an address that the guests remember): its end of the veth leaves no checksum to a device that has none.
network() {
  lab_in 0 ip link add nic0 type veth peer name eth0 address 02:00:00:00:00:09 netns domain-9
  lab_in 0 ip link set nic0 up
  lab_put 9 eth0 10.0.0.9 fd00::9
  lab_in 9 ethtool -K eth0 tx off txvlan off >/dev/null
}

bin=$1
shift
lab_start "$bin" --workers 2 "$@"
lab_guest 1
lab_guest 2
lab_guest 9
network
random_file 16
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab -- --no-offload
lab_put 0 up-lab 10.0.0.8 fd00::8
lab_wait 10 reaches 0 10.0.0.1

write uplink/device nothere
lab_wait 10 error_is "no network device 'nothere'"
reaches 0 10.0.0.1 || fail "a device that is not there has taken the uplink away"

write uplink/device nic0
lab_wait 10 grep -q 'takes nic0 by AF_XDP' "$lab/ringbackd.log"
lab_wait 10 has_no_error
all_goes_through_it() {
  lab_wait 10 reaches 1 10.0.0.9
  lab_wait 10 reaches 2 10.0.0.9
  lab_wait 10 reaches 1 fd00::9
  lab_wait 10 reaches 1 10.0.0.2
  send_file 1 9 10.0.0.9
  send_file 9 1 10.0.0.1
  send_file 2 9 fd00::9
  send_file 9 2 fd00:0:0:0::2
}
all_goes_through_it
received() { lab_in 1 ip -json -s link show eth0 | jq ".[].stats64.rx.$1"; }
bytes=$(received bytes) frames=$(received packets)
send_file 9 1 10.0.0.1
bytes=$(($(received bytes) - bytes)) frames=$(($(received packets) - frames))
((bytes > 4000 * frames)) || fail "guest 1 got a stream in $frames frames of $((bytes / frames)) bytes: segments are not put together"
! reaches 0 10.0.0.1 || fail "the tap still belongs to the switch"
no_checksum_errors 0 1 2 9

[[ $(lab_in 0 ip -details -json link show nic0 | jq '.[].promiscuity') -gt 0 ]] || fail "nic0 hears its own address alone"

# A policy for it: without tags it has VLAN 7 alone, where nobody else is, and with its tag VLAN 8, where guest 1 is.
write uplink/vlan 7p/8
lab_in 9 ip link add link eth0 name eth0.8 type vlan id 8 2>/dev/null && tags=yes || tags=''
lab_wait 10 is_cut_off 1 10.0.0.9
for _ in 1 2 3; do is_cut_off 1 10.0.0.9 || fail "guest 1 is in no VLAN of the uplink's, and reaches it"; done
if [[ $tags ]]; then
  lab_as 0 xenstore-write /local/domain/0/backend/vif/1/0/vlan 8p
  lab_in 9 ip address flush dev eth0
  lab_put 9 eth0.8 10.0.0.9 fd00::9
  lab_wait 10 reaches 1 10.0.0.9
  lab_in 9 ip link delete eth0.8
  lab_as 0 xenstore-rm /local/domain/0/backend/vif/1/0/vlan
  lab_put 9 eth0 10.0.0.9 fd00::9
else
  echo "this kernel has no VLAN devices (8021q): tags on the device are not looked at" >&2
fi
has_no_error || fail "a policy was refused"
lab_as 0 xenstore-rm "$keys/uplink/vlan"
lab_wait 10 reaches 1 10.0.0.9

# Down, and up again: what could not be sent is not sent for ever.
lab_in 0 ip link set nic0 down
lab_in 1 ping -q -i 0.01 -c 100 -W 0.1 10.0.0.9 >/dev/null || true
lab_in 0 ip link set nic0 up
lab_wait 10 reaches 1 10.0.0.9

lab_kill ringbackd
lab_daemon --workers 2 "$@"
all_goes_through_it

lab_in 0 ip link delete nic0
lab_wait 10 grep -q 'nic0 has gone' "$lab/ringbackd.log"
lab_wait 10 error_is "no network device 'nic0'"
reaches 1 10.0.0.2 || fail "guests don't reach each other without an uplink"
network
all_goes_through_it
lab_wait 10 has_no_error

lab_as 0 xenstore-rm "$keys"
lab_wait 10 reaches 0 10.0.0.1
reaches 1 10.0.0.8
no_checksum_errors 0 1 2 9
lab_stop
