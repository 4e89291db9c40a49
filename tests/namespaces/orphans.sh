#!/bin/bash
# orphans.sh BIN: a tap whose vif went while no daemon ran is removed by the next one, and no other is.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
backend=/local/domain/0/backend/vif
no_tap() { ! lab_in "${2:-0}" ip link show "$1" >/dev/null 2>&1; }

lab_start "$1"
lab_guest 1
lab_vif 1 0
lab_vif 1 1

# Under whatever name it has by then.
lab_in 0 ip link set vif1.0 down
lab_in 0 ip link set vif1.0 name renamed
lab_end ringbackd
lab_as 0 xenstore-rm $backend/1/0
lab_in 0 ip link show renamed >/dev/null || fail "the tap did not outlive the daemon"
kept() { lab_as "${1:-0}" sh -c 'ls "$(dirname "$XENSTORED_PATH")/ringbackd"' | tr '\n' ' '; }
[[ $(kept) == "vif1.0 vif1.1 " ]] || fail "the rings' memory did not outlive the daemon: $(kept)"
lab_daemon
lab_wait 5 no_tap renamed
lab_in 0 ip link show vif1.1 >/dev/null || fail "a tap went whose vif is there"

# Its vif is being taken away when the next daemon starts, which then makes no use of the tap.
lab_end ringbackd
lab_as 0 xenstore-rm /local/domain/1/device/vif/1
lab_as 0 xenstore-write $backend/1/1/online 0 $backend/1/1/state 5
lab_daemon
closed() { [[ $(lab_as 0 xenstore-read $backend/1/1/state) == 6 ]]; }
lab_wait 5 closed
lab_as 0 xenstore-rm $backend/1/1
lab_wait 5 no_tap vif1.1
nothing_kept() { [[ -z $(kept) ]]; }
lab_wait 5 nothing_kept

# A store that does not answer is no reason to take a tap: this driver domain may not read of vif1.2.
lab_guest 2
for device in 2 3; do
  lab_in 2 ip tuntap add "vif1.$device" mode tap multi_queue
  lab_in 2 ip link set "vif1.$device" alias "ringback vif 1/$device of $(lab_as 2 sh -c 'dirname "$XENSTORED_PATH"')"
done
lab_in 2 ip tuntap add own mode tap
lab_as 2 sh -c 'cd "$(dirname "$XENSTORED_PATH")" && mkdir ringbackd && touch ringbackd/vif1.2 ringbackd/vif1.3'
lab_as 0 xenstore-write /local/domain/2/backend/vif/1/2/frontend /local/domain/1/device/vif/2
lab_as 0 xenstore-chmod /local/domain/2/backend/vif/1/2/frontend n0
lab_spawn ringbackd-2 2 ringbackd
lab_wait 5 no_tap vif1.3 2
lab_wait 5 grep -q 'removed vif1.3, whose vif has gone' "$lab/ringbackd-2.log"
[[ $(kept 2) == "vif1.2 " ]] || fail "kept is not what belongs to vif1.2 alone: $(kept 2)"
for tap in vif1.2 own; do lab_in 2 ip link show $tap >/dev/null || fail "$tap was taken"; done

# Another store's daemon in the same network namespace has taps of its own, of the same vifs.
lab_vif 1 5
export RINGBACK_DIRECTORY=$lab/other
mkdir "$RINGBACK_DIRECTORY"
ringback-hypervisor serve >"$lab/hypervisor-other.log" 2>&1 &
lab_pid[hypervisor-other]=$!
lab_wait 10 grep -qs serving "$lab/hypervisor-other.log"
lab_spawn ringbackd-other 0 ringbackd
lab_wait 10 grep -qs serving "$lab/ringbackd-other.log"
unset RINGBACK_DIRECTORY
lab_as 0 ringback vif attach 1 --devid 4 --no-wait
lab_wait 5 lab_in 0 ip link show vif1.4
lab_wait 5 reaches 0 10.6.1.2

# A vif that is to be on a switch from the next daemon on has no use for the tap that it had.
lab_end ringbackd
lab_as 0 xenstore-write $backend/1/5/ringback/port switch $backend/1/5/ringback/switch lab
lab_daemon
lab_wait 5 no_tap vif1.5
lab_wait 5 grep -q 'vif1.5: connected' "$lab/ringbackd.log"
lab_stop
