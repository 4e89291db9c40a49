#!/bin/bash
# odd_sizes.sh BIN UDP_SWEEP [netfront options]: UDP datagrams of every length, guest to guest and guest to host.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
sweep=$2
options=("${@:3}")

lab_start "$1"
lab_guest 1
lab_guest 2
lab_vif 1 0 --switch lab -- "${options[@]}"
lab_vif 2 0 --switch lab -- "${options[@]}"
lab_vif 1 1 -- "${options[@]}"

# sweep_to DOMID ADDRESS
sweep_to() {
  local answerer
  ip netns exec "domain-$1" "$sweep" answer "$2" 7000 &
  answerer=$!
  lab_wait 5 reaches 1 "$2"
  lab_in 1 timeout 300 "$sweep" sweep "$2" 7000
  kill "$answerer" || fail "who should answer in domain $1 has ended"
}
sweep_to 2 10.0.0.2
sweep_to 0 10.2.1.1
no_checksum_errors 0 1 2
lab_stop
