#!/bin/bash
# kept_offload.sh BIN: what `ethtool -K` has changed on a vif's tap and on an uplink stays, whoever starts anew.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

lab_start "$1"
lab_guest 1
lab_vif 1 0 --switch lab
lab_vif 1 1
lab_put 0 up-lab 10.0.0.9 fd00::9
tso_is() { # STATE WHEN
  local device
  for device in vif1.1 up-lab; do
    ethtool -k $device | grep -qx "tcp-segmentation-offload: $1" || fail "$device: TSO is not $1 $2"
  done
  lab_wait 10 reaches 1 10.2.1.1
  lab_wait 10 reaches 1 10.0.0.9
}
reconnect() {
  lab_end netfront-1.1
  lab_netfront 1 1 "$@"
}

tso_is on "at first"
for device in vif1.1 up-lab; do ethtool -K $device tso off; done
tso_is off "once it was switched off"
lab_kill ringbackd
lab_daemon
tso_is off "after a kill -9 of the daemon"
lab_end ringbackd
lab_daemon
tso_is off "after its end"
reconnect
tso_is off "after the guest has connected anew"
# What a guest that comes then can't take, and the one after it can, is for them to say.
reconnect --no-offload
ethtool -k vif1.1 | grep -qx "tcp-segmentation-offload: off" || fail "vif1.1 has TSO for a guest without"
ethtool -K up-lab tso on
reconnect
tso_is on "after a guest without offload"
lab_stop
