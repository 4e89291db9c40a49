#!/bin/bash
# many_vifs.sh BIN: 64 vifs of 64 guests at once, 56 on a switch and 8 with taps, each with TCP traffic.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
switched=56 all=64

lab_start "$1"
random_file 2
for ((guest = 1; guest <= all; ++guest)); do
  lab_guest "$guest"
  if ((guest <= switched)); then lab_vif "$guest" 0 --switch lab; else lab_vif "$guest" 0; fi
done
# Each guest on the switch sends to the next, each with a tap to the host, all at once.
jobs=()
for ((guest = 1; guest <= all; ++guest)); do
  if ((guest <= switched)); then
    next=$((guest % switched + 1))
    address=10.0.0.$next
  else
    next=0
    address=10.1.$guest.1
  fi
  send_piece "$guest" "$next" "$address" $((6000 + guest)) 0 $((2 << 20)) &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
no_checksum_errors 0 1 "$switched" "$all"
lab_stop
