#!/bin/bash
# parts.sh BIN [FOLDER] [benchmark options]: what the parts of the data path cost, one by one (parts.cpp), as a table. FOLDER:
# puts it into FOLDER/performance.md. Fails if a part does not work.
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
"$here/in_domains.sh" "$programs" parts --benchmark_format=json --benchmark_repetitions=9 \
  --benchmark_min_time=0.05 --benchmark_enable_random_interleaving=true "$@" >"$directory/json"

jq -L "$here" -r --arg machine "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) CPUs, Linux $(uname -r)" -f "$here/parts.jq" \
  "$directory/json" | tee "$directory/table"
[[ ! $folder ]] || into_page "$folder" parts "$directory/table"
