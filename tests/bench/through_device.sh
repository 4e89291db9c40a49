#!/bin/bash
# through_device.sh DEVICE SECONDS COMMAND...: the frames that the network device gets from behind in so many seconds in the
# middle of the command, as one line of JSON.
set -euo pipefail
device=$1 seconds=$2
shift 2
"$@" >/dev/null &
command=$!
sleep 0.8
# microseconds, frames, bytes
read_counters() { awk -v now="${EPOCHREALTIME/[^0-9]/}" -v device="$device:" '$1 == device { print now, $3, $2 }' /proc/net/dev; }
read -r begun frames bytes < <(read_counters)
sleep "$seconds"
read -r ended more_frames more_bytes < <(read_counters)
wait "$command"
awk -v us=$((ended - begun)) -v frames=$((more_frames - frames)) -v bytes=$((more_bytes - bytes)) 'BEGIN {
  printf "{\"received\": {\"frames_per_second\": %.1f, \"bits_per_second\": %.1f}, \"in_all\": {}}\n", frames * 1e6 / us, bytes * 8e6 / us }'
