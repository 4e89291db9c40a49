#!/bin/bash
# transfer.sh BIN MTU QUEUES [ringbackd options]: random bytes over TCP, from guest to guest by the switch and from guest to host by a tap.
# RINGBACK_TRANSFER_MIB: how many (1024).
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
mtu=$2 queues=$3

lab_start "$1" "${@:4}"
lab_guest 1
lab_guest 2
lab_vif 1 0 --switch lab --mtu "$mtu" --max-queues "$queues" -- --queues "$queues"
lab_vif 2 0 --switch lab --mtu "$mtu" --max-queues "$queues" -- --queues "$queues"
lab_vif 1 1 --mtu "$mtu" --max-queues "$queues" -- --queues "$queues"
for vif in 1/vif/0 2/vif/0 1/vif/1; do
  used=$(lab_as 0 xenstore-read "/local/domain/${vif%%/*}/device/${vif#*/}/multi-queue-num-queues" 2>/dev/null || echo 1)
  [[ $used == "$queues" ]] || fail "vif $vif has $used queues, not $queues"
done
# Frames of just that size pass, and one byte more does not.
for way in "1 10.0.0.2" "2 10.0.0.1" "1 10.2.1.1" "0 10.2.1.2"; do
  read -r from address <<<"$way"
  lab_in "$from" ping -q -c 1 -W 2 -M "do" -s $((mtu - 28)) "$address" >/dev/null || fail "no frame of $mtu bytes from $from to $address"
  ! lab_in "$from" ping -q -c 1 -W 1 -M "do" -s $((mtu - 27)) "$address" >/dev/null 2>&1 || fail "the MTU from $from to $address is more than $mtu"
done
random_file "${RINGBACK_TRANSFER_MIB:-1024}"

seconds() {
  local start=$EPOCHREALTIME
  "${@:2}"
  awk "BEGIN { printf \"$1: %.1f s\\n\", $EPOCHREALTIME - $start }"
}
# Several connections a queue: their hashes choose it.
connections=$((queues == 1 ? 1 : 4 * queues))
seconds "guest to guest" send_file 1 2 10.0.0.2 "$connections"
seconds "guest to host" send_file 1 0 10.2.1.1 "$connections"
no_checksum_errors 0 1 2

# each_queue_carried DOMID DEVID: frames, in both directions
each_queue_carried() {
  local netfront=netfront-$1.$2 frames
  kill -USR1 "${lab_pid[$netfront]}"
  lab_wait 5 grep -q '^{' "$lab/$netfront.log"
  frames=$(jq -c .queues < <(grep '^{' "$lab/$netfront.log"))
  echo "vif$1.$2: $frames"
  jq -e "length == $queues and all(.tx > 0 and .rx > 0)" <<<"$frames" >/dev/null || fail "not every queue of vif$1.$2 carried frames"
}
for vif in "1 0" "2 0" "1 1"; do
  # shellcheck disable=SC2086 # two words
  each_queue_carried $vif
done
lab_stop
