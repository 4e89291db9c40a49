#!/bin/bash
# one_core.sh BIN [benchmark options]: the switch on one core beside the bound, as a table with the share of the bound that
# the switch reaches. Fails if that is below 0.25 for 60-byte frames in bursts of 32.
set -euo pipefail
here=$(dirname "$0")
programs=${1:?a folder of programs, such as build/release/bin}
shift
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# The two take turns, for the machine may be shared.
"$here/in_domains.sh" "$programs" one_core --benchmark_format=json --benchmark_repetitions=5 \
  --benchmark_min_time=0.1 --benchmark_enable_random_interleaving=true "$@" >"$directory/json"

jq -r '
  def all(name): [.benchmarks[] | select(.aggregate_name == name) | {(.run_name): .items_per_second}] | add;
  def round(digits): . * digits | floor / digits;
  all("median") as $rate | all("cv") as $spread |
  "| bytes, burst, payload | switch, Mpps | bound, Mpps | share of the bound | spread of the two |", "|---|---|---|---|---|",
  ($rate | keys[] | select(startswith("switch/")) | . as $ours | sub("^switch"; "bound") as $bound |
    capture("size:(?<size>[0-9]+)/burst:(?<burst>[0-9]+)/touched:(?<touched>[0-9])") as $case |
    "| \($case.size), \($case.burst), \(if $case.touched == "1" then "written and read" else "left alone" end) | " +
    "\($rate[$ours] / 1e6 | round(100)) | \($rate[$bound] / 1e6 | round(100)) | \($rate[$ours] / $rate[$bound] | round(100)) | " +
    "\($spread[$ours] * 100 | round(1)) %, \($spread[$bound] * 100 | round(1)) % |")' "$directory/json" | tee "$directory/table"
awk -F ' *[|] *' '$2 == "60, 32, left alone" { share = $5 } END { exit !(share >= 0.25) }' "$directory/table" ||
  { echo "The switch reaches less than 0.25 of the bound." >&2; exit 1; }
