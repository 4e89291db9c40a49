#!/bin/bash
# hostile_guest.sh BIN PROGRAM CASE: what a hostile guest does costs nobody else anything: two other guests ping each other
# all the while, and lose nothing.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
hostile_guest=$2
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0:thread_local_quarantine_size_kb=0

resident() { awk '/VmRSS/ { print $2 }' "/proc/${lab_pid[ringbackd]}/status"; }
attach() { lab_as 0 ringback vif attach 3 --switch lab >/dev/null; }

# What it writes keeps the control thread from nothing and is not kept.
writes_without_end() {
  local memory grown
  attach
  lab_spawn hostile 3 "$hostile_guest" write 8
  sleep 2
  memory=$(resident)
  lab_guest 4
  lab_vif 4 0 --switch lab
  lab_wait 5 reaches 4 10.0.0.1
  wait "${lab_pid[hostile]}" || fail "$(cat "$lab/hostile.log")"
  grown=$(($(resident) - memory))
  echo "$(cat "$lab/hostile.log"); resident memory grew by $grown KiB of $memory KiB"
  ((grown <= 4096)) || fail "the daemon's memory grew by $grown KiB"
  lab_spawn hostile 3 "$hostile_guest" write 8
  sleep 1
}

# An rx ring is found broken by whoever sends to the guest, on another worker; the guest itself sends no event.
lies_silently() {
  attach
  lab_spawn flood 1 ping -q -b -i 0.05 10.0.0.255 # broadcasts reach every port
  lab_as 3 "$hostile_guest" lie rx
  lab_kill flood
  grep -q 'vif3.0: .*broke the protocol.*rx ring' "$lab/ringbackd.log" || fail "the log does not say that vif3.0 lied"
}

# Nothing of a former life is held against it, though its new queue may lie where the old one was.
lies_and_starts_over() {
  local i
  attach
  for ((i = 0; i < 8; ++i)); do lab_as 3 "$hostile_guest" lie tx; done
  lab_netfront 3 0
  lab_wait 15 reaches 3 10.0.0.1
  (($(lies_found) == 8)) || fail "not every lie was found, or more than there were"
}
lies_found() { grep -c 'vif3.0: .*broke the protocol' "$lab/ringbackd.log"; }

# It is looked at ever less often: after 3 lies it waits for 0.1 s, 0.2 s, and so on.
lies_for_ever() {
  local end=$((SECONDS + 8))
  attach
  while ((SECONDS < end)); do lab_as 3 "$hostile_guest" lie tx; done
  is_limited 'vif3.0: .*broke the protocol'
}
is_limited() { # PATTERN: what the log has of it after 8 s and a bit
  local count
  count=$(grep -c "$1" "$lab/ringbackd.log")
  echo "'$1' $count times in 8 s and a bit"
  ((count > 3 && count <= 12)) || fail "it was looked at $count times"
}

# Nor does it help to say that it starts over, and over, without waiting for an answer. Whatever it was refused for: its
# keys may have changed while they were read.
flaps_for_ever() {
  attach
  lab_as 3 "$hostile_guest" flap 8
  is_limited 'error: vif3.0: '
}

# Nor to do all as it should, and close each time at once.
reconnects_for_ever() {
  attach
  lab_as 3 "$hostile_guest" reconnect 8
  is_limited 'vif3.0: connected'
}

# Nor is it lost for good if it comes back while it has to wait, and does not wait for the offer (MiniOS).
comes_back_too_early() {
  attach
  for ((i = 0; i < 5; ++i)); do lab_as 3 "$hostile_guest" lie tx; done
  lab_as 3 xenstore-write /local/domain/3/device/vif/0/state 5 /local/domain/3/device/vif/0/state 6 /local/domain/3/device/vif/0/state 1
  sleep 0.03
  lab_as 3 xenstore-write /local/domain/3/device/vif/0/state 4
  looked_at() { grep -q 'vif3.0: tx-ring-ref: cannot map grant' "$lab/ringbackd.log"; } # it has none by now
  lab_wait 15 looked_at
}

lab_start "$1" --workers 2
for guest in 1 2 3; do lab_guest "$guest"; done
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab
start_pings 10.0.0.2
"$3"
end_pings
start=$SECONDS
lab_stop # the daemon ends at once, also while the guest writes
((SECONDS - start <= 5)) || fail "it took $((SECONDS - start)) s to end"
