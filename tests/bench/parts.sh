#!/bin/bash
# parts.sh BIN [FOLDER] [benchmark options]: what the parts of the data path cost, one by one (parts.cpp), as a table. FOLDER:
# puts it into FOLDER/performance.md. Fails if a part does not work.
set -euo pipefail
. "$(dirname "$0")/benchmark.sh"
measure parts --benchmark_repetitions=9 --benchmark_min_time=0.05
tabulate parts --arg machine "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) CPUs, Linux $(uname -r)" -f "$bench/parts.jq"
