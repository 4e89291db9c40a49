#!/bin/bash
# one_core_growth.sh BIN [FOLDER] [benchmark options]: how the cost of a frame grows with the number of vifs and of addresses on
# one core, for the switch and for the bound (one_core_growth.cpp), as a table. FOLDER: puts it into FOLDER/performance.md.
set -euo pipefail
. "$(dirname "$0")/benchmark.sh"
measure one_core_growth --benchmark_repetitions=7
tabulate 'growth on one core' '
  include "figures";
  def range: "\(median | digits(1)) (\(min | digits(1))-\(max | digits(1)))";
  [.benchmarks[] | select(.run_type == "iteration")
    | (.run_name | capture("^(?<who>[a-z]+)/(?<what>[a-z]+):(?<number>[0-9]+)")) + {ns: (1e9 / .items_per_second)}]
  | "| so many | switch, ns for a frame | bound, ns | the bound takes of it | samples |", "|---|---|---|---|---|",
    (group_by(.what == "addresses", (.number | tonumber))[]
      | map(select(.who == "switch").ns) as $switch | map(select(.who == "bound").ns) as $bound
      | "| \(.[0].number) \(.[0].what) | \($switch | range) | \($bound | range) | " +
        "\(($bound | median) / ($switch | median) | digits(2)) | \($switch | length) |")'
