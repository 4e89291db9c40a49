#!/bin/bash
# restarted_daemon.sh BIN [ROUNDS]: kill -9 of the daemon under load, again and again, and then SIGTERM. Each fourth daemon is
# given the time to take all vifs over and to carry every stream on; the others are killed at once. What guests send over a
# switch and over a tap arrives, and their netfronts never see a change.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
rounds=${2:-100}

lab_start "$1" --workers 2
lab_guest 1
lab_guest 2
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab -- --queues 2
lab_vif 1 1 -- --queues 2
head -c 8M /dev/urandom >"$lab/random"
states() { cat "$lab"/netfront-*.log | wc -l; }

# carry FROM TO ADDRESS PORT: one TCP connection, with bytes for as long as $lab/goes is there
carry() {
  # shellcheck disable=SC2016 # that shell's own
  lab_in "$2" bash -c 'echo $$ >"$1"; exec socat -u "TCP4-LISTEN:$2,reuseaddr" -' receiver "$lab/receiver-$4" "$4" |
    sha256sum >"$lab/received-$4" &
  while [[ -e $lab/goes ]]; do cat "$lab/random"; done | tee >(sha256sum >"$lab/sent-$4") |
    lab_in "$1" timeout 300 socat -u - "TCP4:$3:$4,retry=50,interval=0.1"
  wait $!
}
ports=(6001 6002 6003 6004)
has_read() { awk '/^rchar:/ { print $2 }' "/proc/$(<"$lab/receiver-$1")/io"; } 2>/dev/null # PORT
declare -A had
look() {
  local port
  for port in "${ports[@]}"; do had[$port]=$(has_read "$port") || return 1; done
}
all_go_on() { # since look()
  local port
  for port in "${ports[@]}"; do (($(has_read "$port") >= had[$port] + 65536)) || return 1; done
}
all_taken_over() { (($(grep -c ': connected$' "$lab/ringbackd.log") == 3)); }

# Not before, and not only because they can't wait any longer.
all_served() { [[ $(grep -E ': connected$|: serving begins$' "$lab/ringbackd.log" | tail -n 1) == *': serving begins' ]]; }

restarts() { # SIGNAL COUNT
  local i before streams=()
  before=$(states)
  touch "$lab/goes"
  carry 1 2 10.0.0.2 6001 & streams+=($!)
  carry 2 1 10.0.0.1 6002 & streams+=($!)
  carry 1 0 10.2.1.1 6003 & streams+=($!)
  carry 0 1 10.2.1.2 6004 & streams+=($!)
  lab_wait 5 look # until all receive
  for ((i = 0; i < $2; ++i)); do
    if ((i % 4 == 0)); then
      lab_wait 20 all_taken_over
      ((i == 0)) || lab_wait 5 all_served
      look
      lab_wait 20 all_go_on
    else
      sleep "0.$((RANDOM % 4))"
    fi
    if [[ $1 == KILL ]]; then lab_kill ringbackd; else lab_end ringbackd; fi
    cat "$lab/ringbackd.log" >>"$lab/all.log"
    lab_daemon --workers 2
  done
  sleep 1
  rm "$lab/goes"
  wait "${streams[@]}"
  for i in "${ports[@]}"; do
    lab_wait 5 test -s "$lab/sent-$i"
    cmp "$lab/received-$i" "$lab/sent-$i" || fail "a stream did not arrive as it was sent"
  done
  (($(states) == before)) || fail "a netfront has seen a change: $(tail -n 3 "$lab"/netfront-*.log)"
  ! grep ' error: ' "$lab/all.log" "$lab/ringbackd.log" || fail "a daemon has logged an error"
  echo "$2 restarts by SIG$1: four streams arrived as they were sent"
}
restarts KILL "$rounds"
restarts TERM $((rounds / 5))
no_checksum_errors 0 1 2
lab_stop
