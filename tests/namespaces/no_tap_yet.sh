#!/bin/bash
# no_tap_yet.sh BIN: a daemon that takes over when the host can give it no tap says so, and goes on with the vif when there is one. Its
# guest notices nothing. A vif that is new then waits for its offer.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
says() { grep -q "vif1.$1: $2" "$lab/ringbackd.log"; }
states() { wc -l <"$lab/netfront-1.0.log"; }

# The lab's own mounts; what is in the file system is there for all, what is mounted later only for some.
# shellcheck disable=SC2154 # lab is lab.sh's
touch "$lab/tun"
mount --bind /dev/net/tun "$lab/tun"
mount -t tmpfs none /dev/net
tun() { ln -s "$lab/tun" /dev/net/tun; }
tun

lab_start "$1"
lab_guest 1
for device in 0 1; do lab_vif 1 $device; done
before=$(states)
lack_tap() {
  lab_kill ringbackd
  rm /dev/net/tun
  lab_daemon
  for device in 0 1; do lab_wait 10 says $device '.*tried again every second'; done
}
says_it_once() { [[ $(grep -c 'tried again every second' "$lab/ringbackd.log") == 2 ]] || fail "it does not say so once for each vif"; }

lack_tap
sleep 2.5
says_it_once
! says . connected || fail "it has a tap all the same"
tun
for device in 0 1; do
  lab_wait 5 says $device connected
  lab_wait 5 reaches 1 10.$((1 + device)).1.1
done
[[ $(states) == "$before" ]] || fail "the guest noticed"
error() { lab_as 0 xenstore-exists /local/domain/0/backend/vif/1/0/error; }
! error || fail "its error node stays"

# A guest that writes its state over and over, and one that goes and comes back meanwhile.
lack_tap
for ((i = 0; i < 50; ++i)); do lab_as 1 xenstore-write /local/domain/1/device/vif/0/state 4; done
says_it_once
lab_end netfront-1.1
closed() { [[ $(lab_as 0 xenstore-read /local/domain/0/backend/vif/1/1/state) == 6 ]]; }
lab_wait 5 closed
tun
lab_wait 5 says 0 connected
lab_netfront 1 1
for device in 0 1; do lab_wait 5 reaches 1 10.$((1 + device)).1.1; done

rm /dev/net/tun
lab_as 0 ringback vif attach 1 --devid 2 & # it waits for the offer
attaches=$!
lab_as 0 ringback vif attach 1 --devid 3 &
for device in 2 3; do lab_wait 5 says $device '.*tried again every second'; done
lab_as 0 ringback vif detach 1 3
lab_wait 5 says 3 gone
sleep 1.5
state() { lab_as 0 xenstore-read /local/domain/0/backend/vif/1/2/state; }
[[ $(state) == 1 ]] || fail "its state is $(state), not Initialising"
tun
wait $attaches
lab_netfront 1 2
lab_wait 5 reaches 1 10.3.1.1
[[ ! -e /sys/class/net/vif1.3 ]] || fail "a vif that was detached has a tap"
lab_stop
