#!/bin/bash
# one_core_growth.sh BIN [FOLDER] [benchmark options]: how the cost of a frame grows with the number of vifs and of addresses on
# one core, for the switch and for the bound (one_core_growth.cpp), as a table. FOLDER: puts it into FOLDER/performance.md.
set -euo pipefail
export LC_ALL=C
here=$(dirname "$0")
. "$here/page.sh"
programs=${1:?a folder of programs, such as build/release/bin} folder=''
shift
if (($#)) && [[ $1 != -* ]]; then
  folder=$1
  shift
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# They take turns, for the machine may be shared.
"$here/in_domains.sh" "$programs" one_core_growth --benchmark_format=json --benchmark_repetitions=7 \
  --benchmark_enable_random_interleaving=true "$@" >"$directory/json"

jq -L "$here" -r '
  include "figures";
  def range: "\(median | digits(1)) (\(min | digits(1))-\(max | digits(1)))";
  [.benchmarks[] | select(.run_type == "iteration")
    | (.run_name | capture("^(?<who>[a-z]+)/(?<what>[a-z]+):(?<number>[0-9]+)")) + {ns: (1e9 / .items_per_second)}]
  | "| so many | switch, ns for a frame | bound, ns | the bound takes of it | samples |", "|---|---|---|---|---|",
    (group_by(.what == "addresses", (.number | tonumber))[]
      | map(select(.who == "switch").ns) as $switch | map(select(.who == "bound").ns) as $bound
      | "| \(.[0].number) \(.[0].what) | \($switch | range) | \($bound | range) | " +
        "\(($bound | median) / ($switch | median) | digits(2)) | \($switch | length) |")' "$directory/json" | tee "$directory/table"
[[ ! $folder ]] || into_page "$folder" 'growth on one core' "$directory/table"
