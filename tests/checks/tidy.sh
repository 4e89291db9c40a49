#!/bin/bash
# tidy.sh BUILD_FOLDER ROOM: every C++ source that it compiles in that room is as clang-tidy would have it (.clang-tidy). The
# few in C speak for programs of others.
# A third of the time would go into the same headers again and again. So sources that are compiled alike are looked at as one,
# six at a time; where that finds something, or can't be (two have the same name for a thing of their own), each is looked at alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 room=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A line each: how it is compiled, without its output's name, and where it is.
jq -r --arg room "$PWD/$room/" '.[] | select(.file | startswith($room) and endswith(".cpp"))
  | "\(.command | sub(" -o .*"; ""))\t\(.file)"' "$build/compile_commands.json" | sort >"$work/sources"

tidy() { clang-tidy -quiet --config-file=.clang-tidy -p "$@" >"$work/log" 2>&1; }
group=() failed=0
look() {
  local all=$work/all.cpp file
  ((${#group[@]})) || return 0
  if ((${#group[@]} > 1)); then
    for file in "${group[@]}"; do printf '#line 1 "%s"\n' "$file" && cat "$file"; done >"$all"
    jq -n --arg folder "$work" --arg command "$flags -c $all" --arg file "$all" \
      '[{directory: $folder, command: $command, file: $file}]' >"$work/compile_commands.json"
    ! tidy "$work" "$all" || return 0
  fi
  for file in "${group[@]}"; do
    tidy "$build" "$file" && continue
    grep -vE 'warnings.* generated|^Error while' "$work/log"
    failed=1
  done
}
flags=''
while IFS=$'\t' read -r command file; do
  if [[ $command != "$flags" ]] || ((${#group[@]} == 6)); then
    look
    group=()
  fi
  flags=$command
  group+=("$file")
done <"$work/sources"
look
echo "$(wc -l <"$work/sources") sources"
[[ -s $work/sources ]] && ((!failed))
