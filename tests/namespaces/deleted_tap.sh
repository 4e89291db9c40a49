#!/bin/bash
# deleted_tap.sh BIN: somebody deletes the taps of a vif and of an uplink: the log says so, new ones are there, and the
# guests have noticed nothing.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

lab_start "$1" --workers 2
lab_guest 1
lab_vif 1 0 --switch lab
lab_vif 1 1
lab_put 0 up-lab 10.0.0.9 fd00::9
lab_wait 5 reaches 1 10.0.0.9
lab_wait 5 reaches 1 10.2.1.1
states() { lab_as 0 xenstore-watch -n 1000 /local/domain/1/device/vif/0/state /local/domain/1/device/vif/1/state \
  /local/domain/0/backend/vif/1/0/state /local/domain/0/backend/vif/1/1/state; }
states >"$lab/states.log" &
lab_pid[states]=$!
seen() { (($(wc -l <"$lab/states.log") >= 4)); } # each once, at once
lab_wait 5 seen

# What went by uplinks that were deleted counts too.
frames() {
  local lines
  lines=$(wc -l <"$lab/ringbackd.log")
  kill -USR1 "${lab_pid[ringbackd]}"
  said() { tail -n +$((lines + 1)) "$lab/ringbackd.log" | grep -q 'switch lab: uplink: statistics'; }
  lab_wait 5 said
  sed -n 's/.*switch lab: uplink: statistics //p' "$lab/ringbackd.log" | tail -n 1 | jq '.tx.frames + .rx.frames'
}
before=$(frames)
((before > 0)) || fail "nothing is counted"

for round in 1 2 3; do
  for tap in up-lab vif1.1; do
    was=$(lab_in 0 cat /sys/class/net/$tap/ifindex)
    lab_in 0 ip link delete $tap
    another() { [[ $(lab_in 0 cat /sys/class/net/$tap/ifindex 2>/dev/null) != "$was" ]]; }
    lab_wait 5 another
  done
  logged() { (($(grep -c 'tap.* was deleted' "$lab/ringbackd.log") == 2 * round)); }
  lab_wait 5 logged
  now=$(frames)
  ((now >= before)) || fail "$now frames by the uplink, after $before"
  before=$now
  lab_put 0 up-lab 10.0.0.9 fd00::9
  lab_put 0 vif1.1 10.2.1.1 fd01:0:1:1::1
  # From the host, whose uplink has another MAC address now.
  lab_wait 5 reaches 0 10.0.0.1
  lab_wait 5 reaches 0 10.2.1.2
done
lab_as 0 xenstore-read /local/domain/0/backend/vif/1/1/error | grep -q 'its tap was deleted' || fail "the error node does not tell"
# While no daemon runs, too.
lab_kill ringbackd
lab_as 0 xenstore-rm /local/domain/0/backend/vif/1/1/error
lab_in 0 ip link delete vif1.1
lab_daemon --workers 2
tells() { lab_as 0 xenstore-read /local/domain/0/backend/vif/1/1/error | grep -q 'its tap was deleted'; }
lab_wait 5 tells
lab_put 0 vif1.1 10.2.1.1 fd01:0:1:1::1
lab_wait 5 reaches 0 10.2.1.2
(($(wc -l <"$lab/states.log") == 4)) || fail "an end has left Connected"
lab_as 0 ringback vif detach 1 1 >/dev/null
lab_wait 5 eval '(($(wc -l <"$lab/states.log") > 4))' # it would have been seen
lab_kill states
lab_stop
