#!/bin/bash
# uplink.sh BIN: the host is on a switch by its uplink, which keeps its address while the daemon, or the switch, is away.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

lab_start "$1" --workers 2
lab_guest 1
lab_guest 2
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab -- --no-offload
lab_put 0 up-lab 10.0.0.9 fd00::9
random_file 32

everyone_is_reached() {
  lab_wait 10 reaches 0 10.0.0.1
  lab_wait 10 reaches 0 10.0.0.2
  lab_wait 10 reaches 1 10.0.0.2
  send_file 0 1 10.0.0.1
  send_file 1 0 10.0.0.9
  send_file 0 2 10.0.0.2
  send_file 2 0 10.0.0.9
  send_file 1 2 10.0.0.2
}
everyone_is_reached
lab_kill ringbackd
lab_daemon
everyone_is_reached
lab_end netfront-1.0
lab_end netfront-2.0
lab_as 0 ringback vif detach 1 0
lab_as 0 ringback vif detach 2 0
lab_wait 5 grep -q 'switch lab: gone' "$lab/ringbackd.log"
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab -- --no-offload
everyone_is_reached
no_checksum_errors 0 1 2

# A name that is too long for a device's is cut short.
lab_vif 2 1 --switch a-name-of-fifteen
[[ $(lab_in 0 ip -json link show | jq -r '.[] | select(.ifalias // "" | startswith("ringback switch a-name-of-fifteen")).ifname') == up-a-name-* ]] ||
  fail "no uplink for the switch with the long name"

# Frames between guests are not the host's to see.
before=$(lab_in 0 ip -json -s link show up-lab | jq '.[].stats64.rx.bytes')
send_file 1 2 10.0.0.2
after=$(lab_in 0 ip -json -s link show up-lab | jq '.[].stats64.rx.bytes')
((after - before < 1 << 20)) || fail "$((after - before)) bytes between guests came to the host"
lab_stop
