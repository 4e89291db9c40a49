#!/bin/bash
# tidy.sh BUILD_FOLDER ROOM: every C++ source that it compiles in that room is as clang-tidy would have it (.clang-tidy). The
# few in C speak for programs of others.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
build=$1 room=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT

mapfile -t sources < <(jq -r --arg room "$PWD/$room/" \
  'map(.file | select(startswith($room) and endswith(".cpp"))) | unique[]' "$build/compile_commands.json")
failed=0
for source in "${sources[@]}"; do
  clang-tidy -quiet --config-file=.clang-tidy -p "$build" "$source" >"$log" 2>&1 && continue
  grep -vE 'warnings.* generated|^Error while' "$log"
  failed=1
done
echo "${#sources[@]} sources"
((${#sources[@]} && !failed))
