#!/bin/bash
# offload_mix.sh BIN: guest 1 negotiates everything, guest 2 nothing (--no-offload), so that what passes between them is
# segmented and summed in software; over IPv4 and IPv6, by the switch and by taps.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

lab_start "$1"
lab_guest 1
lab_guest 2
lab_guest 3
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab -- --no-offload
lab_vif 3 0 --switch lab -- --no-offload
lab_vif 1 1
lab_vif 2 1 -- --no-offload
random_file 64

for pair in "1 2" "2 1" "2 3"; do
  read -r from to <<<"$pair"
  send_file "$from" "$to" "10.0.0.$to"
  send_file "$from" "$to" "fd00::$to"
done
for guest in 1 2; do
  send_file "$guest" 0 "10.2.$guest.1"
  send_file "$guest" 0 "fd01:0:1:$guest::1"
  send_file 0 "$guest" "10.2.$guest.2"
  send_file 0 "$guest" "fd01:0:1:$guest::2"
done
no_checksum_errors 0 1 2 3
lab_stop
