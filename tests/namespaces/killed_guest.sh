#!/bin/bash
# killed_guest.sh BIN [GUESTS]: kill -9 of so many guests, two at a time, while they send and receive. The daemon and another
# guest go on, and nothing of the dead ones is left.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
guests=${2:-100}
# An address sanitizer would keep freed memory for a while.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0:thread_local_quarantine_size_kb=0

lab_start "$1"
lab_guest 1
lab_vif 1 0 --switch lab
lab_guest 3
lab_vif 3 0 --switch lab
start_pings 10.0.0.3

killed() { # DOMID
  local flood
  lab_guest "$1"
  lab_vif "$1" 0 --switch lab
  ((i % 4)) || lab_vif "$1" 1 # now and then with a tap as well
  # 41 frames each, and of both floods together no more than the 1,000 that the pinged one's own device queues of its answers.
  ip netns exec "domain-$1" ping -q -f -l 8 -s 60000 10.0.0.1 >/dev/null 2>&1 &
  flood=$!
  sleep 0.1
  lab_kill_guest "$1"
  kill "$flood"
  wait "$flood" || true
  lab_as 0 ringback vif detach "$1" 0
  ((i % 4)) || lab_as 0 ringback vif detach "$1" 1
  lab_wait 10 gone "$1"
}
gone() { ! ringback-hypervisor list | awk -v domid="$1" '$1 == domid { found = 1 } END { exit !found }'; }
round() {
  local other
  killed 2 &
  other=$!
  killed 4
  wait $other || fail "a guest could not be had, or is not gone"
}

descriptors() { find "/proc/${lab_pid[ringbackd]}/fd" -mindepth 1 | wc -l; }
resident() { awk '/VmRSS/ { print $2 }' "/proc/${lab_pid[ringbackd]}/status"; }
held() { ringback-hypervisor list | awk '$1 == 0 { print "ports", $4, "grants", $5, "mappings", $6 }'; }
state() { echo "descriptors $(descriptors) $(held)"; }

for ((i = 0; i < 20; i += 2)); do round; done # memory has about its working size then
before=$(state)
memory=$(resident)
for ((i = 0; i < guests; i += 2)); do round; done
back_to_before() { [[ $(state) == "$before" ]]; }
lab_wait 10 back_to_before || fail "before: $before; after $guests guests: $(state)"
grown=$(($(resident) - memory))
echo "after $guests guests: $before, as before; resident memory grew by $grown KiB of $memory KiB"
((grown <= 4096)) || fail "the daemon's memory grew by $grown KiB"

end_pings
lab_stop
