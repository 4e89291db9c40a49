#!/bin/bash
# kept_promise.sh BIN: what a daemon that was killed had promised to answer is answered by the next one, once, in whatever state the
# vif was; of a vif that has closed nothing is kept.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
kept() { lab_as 0 sh -c 'echo "$(dirname "$XENSTORED_PATH")/ringbackd"'; }
# Queue::Kept: 8 + 256 * 4 bytes for tx, then for rx the promise (from 0, one of them) and the response (id 0, status -1).
promise() {
  printf '\0\0\0\0\1\0\0\0\0\0\0\0\0\0\xff\xff' | dd of="$(kept)/vif1.$1" bs=1 seek=1032 conv=notrunc status=none
}
errors_are() {
  kill -USR1 "${lab_pid[netfront-1.$1]}"
  sleep 0.1
  grep -q "\"rx\":.*\"error\":$2," "$lab/statistics-$1"
}
states() { lab_as 0 xenstore-read "/local/domain/0/backend/vif/1/$1/state" "/local/domain/1/device/vif/$1/state" | tr -d '\n'; }
states_are() { [[ $(states "$1" 2>/dev/null) == "$2" ]]; }

lab_start "$1"
lab_guest 1

# Nothing is received before: nobody else is on the switch.
lab_vif 1 0 --switch lab -- --statistics "$lab/statistics-0"
lab_wait 5 errors_are 0 0 || fail "there were errors before"
lab_kill ringbackd
promise 0
lab_daemon
lab_wait 5 errors_are 0 1
states_are 0 44 || fail "the vif is no longer connected"

# The script has not ended: the guest is connected, and the vif is not yet announced.
cat >"$lab/slow" <<'END'
#!/bin/sh
while [ ! -e "$(dirname "$0")/enough" ]; do sleep 0.1; done
xenstore-write "$XENBUS_PATH/hotplug-status" connected
END
chmod +x "$lab/slow"
lab_spawn attach 0 ringback vif attach 1 --devid 1 --script "$lab/slow"
lab_spawn netfront-1.1 1 ringback-netfront --device 1 --tap eth1 --statistics "$lab/statistics-1"
lab_wait 10 states_are 1 24
lab_wait 5 test -e "$(kept)/vif1.1"
lab_kill ringbackd
promise 1
lab_daemon
touch "$lab/enough"
lab_wait 5 states_are 1 44
lab_wait 5 errors_are 1 1
wait "${lab_pid[attach]}"
unset 'lab_pid[attach]'

# What was kept is of no use to other rings.
lab_end netfront-1.1
not_kept() { [[ ! -e $(kept)/vif1.1 ]]; }
lab_wait 5 not_kept
lab_netfront 1 1 --statistics "$lab/statistics-1"
lab_wait 5 errors_are 1 0 || fail "an old promise was kept for new rings"
lab_wait 5 reaches 0 10.2.1.2
lab_stop
