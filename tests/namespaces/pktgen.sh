#!/bin/bash
# pktgen.sh BIN: the generator's frames between vifs of one guest, over the switch.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

lab_start "$1"
lab_guest 1
for device in 0 1 2 3; do lab_as 0 ringback vif attach 1 --devid "$device" --switch lab --max-queues 4 >/dev/null; done

pktgen() { ip netns exec domain-1 timeout 60 ringback-hypervisor exec 1 -- ringback-pktgen "$@"; }

# all_arrive [options]: each frame once, in order, unchanged
all_arrive() {
  local report
  report=$(pktgen --touch --json --duration 1 "$@") || fail "exit status $?: $*"
  echo "$*: $(jq -c .in_all <<<"$report")"
  jq -e '.in_all | .sent > 100 and .received == .sent and .lost + .duplicates + .reordered + .strays + .corrupt + .refused + .errors == 0' \
    <<<"$report" >/dev/null || fail "not all arrived: $* $report"
}
all_arrive --size 60,61,127,1513,1514 --rate 5000
all_arrive --size imix --rate 5000 --sleep
all_arrive --size 1515,4097,32768,65535 --rate 500 --burst 4
all_arrive --rate 5000 --flows 64 --addresses 16 --send 0,1 --sink 2,3
all_arrive --rate 5000 --flows 16 --queues 4 --send 0 --sink 1
all_arrive --rate 5000 --send 0-3 --sink 0-3 --burst 1 --latency

# refused WORDS [options]: by itself, and says these words
refused() {
  local words=$1 status=0
  shift
  pktgen "$@" >"$lab/refusal" 2>&1 || status=$?
  ((status > 0 && status < 124)) || fail "exit status $status: $*"
  grep -q -e "$words" "$lab/refusal" || fail "$* does not say '$words': $(cat "$lab/refusal")"
}
refused "no vif 9" --sink 9 --wait 1
refused "segmentation offload" --size 2000 --no-offload
refused "60 to 65535" --size 59
refused "to itself" --send 1 --sink 1
refused "give --sink" --sink ""
lab_kill ringbackd
refused "did not connect" --wait 1
lab_daemon
all_arrive --rate 1000

# The vif goes in the middle of it.
pktgen --duration 30 >"$lab/pktgen.log" 2>&1 &
generator=$!
lab_wait 10 lab_connected 1 0
lab_wait 10 lab_connected 1 1
sleep 0.5
lab_as 0 ringback vif detach 1 0
! wait "$generator" || fail "it did not notice that its vif has gone"
grep -q "closed vif 0" "$lab/pktgen.log" || fail "it does not say that the vif has gone: $(cat "$lab/pktgen.log")"
lab_stop
