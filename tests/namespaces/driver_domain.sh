#!/bin/bash
# driver_domain.sh BIN: the daemon in a domain that may read only what it is given, as a driver domain may. A frontend that
# has gone is then out of reach, not missing.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
driver=2
backend=/local/domain/$driver/backend/vif

lab_hypervisor "$1"
lab_guest $driver
lab_spawn ringbackd $driver ringbackd
lab_wait 10 grep -qs serving "$lab/ringbackd.log"
state_is() { [[ $(lab_as 0 xenstore-read "$backend/$1/state") == "$2" ]]; }
# What the daemon holds: descriptors, and taps but the switch's.
held() { echo "$(find "/proc/${lab_pid[ringbackd]}/fd" -type l | wc -l) $(lab_in $driver ip -br link show type tun | grep -vc up-lab)"; }
let_go() { [[ $(held) == "$1" ]] && grep -q "$2: gone" "$lab/ringbackd.log"; }

lab_guest 1
lab_vif 1 0 --backend $driver --switch lab
before=$(held)
# Of whose vifs there are, only dom0 may know all.
listed=$(lab_as $driver ringback vif list --json | jq -c 'map([.domid, .devid, .backend_domid, .queues])')
[[ $listed == '[[1,0,2,1]]' ]] || { echo "listed in the driver domain: $listed" >&2; exit 1; }

# Detached, by a guest that lives.
lab_guest 3
lab_vif 3 0 --backend $driver --switch lab
lab_wait 5 reaches 3 10.0.0.1
lab_vif 3 1 --backend $driver
lab_as 0 ringback vif detach 3 0 >/dev/null
lab_as 0 ringback vif detach 3 1 >/dev/null
lab_wait 5 let_go "$before" vif3.1

# As libxl destroys a guest: its half first, then it waits for the backend to say Closed.
lab_guest 4
lab_vif 4 0 --backend $driver
lab_kill netfront-4.0
lab_as 0 xenstore-rm /local/domain/4/device/vif/0
lab_as 0 xenstore-write $backend/4/0/online 0 $backend/4/0/state 5
lab_wait 5 state_is 4/0 6
lab_as 0 xenstore-rm $backend/4/0
lab_wait 5 let_go "$before" vif4.0

# A guest that takes away the right to see its state has closed, and can't keep the toolstack from what it does.
lab_guest 5
lab_vif 5 0 --backend $driver
lab_as 5 xenstore-chmod /local/domain/5/device/vif/0/state n5
lab_wait 5 state_is 5/0 6
lab_as 0 ringback vif detach 5 0 >/dev/null
lab_wait 5 let_go "$before" vif5.0

lab_wait 5 lab_in 1 ping -q -c 1 -W 1 10.0.0.1
lab_stop
