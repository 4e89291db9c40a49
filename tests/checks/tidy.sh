#!/bin/bash
# tidy.sh BUILD_FOLDER ROOM: every C++ source that it compiles in that room is as clang-tidy would have it (.clang-tidy). The
# few in C speak for programs of others. A source that was clean is clean until it changes, or what it includes, how it is
# compiled or what clang-tidy is told: of each such state an empty file is kept for a month (~/.cache/ringback-tidy).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
build=$1 room=$2
kept=${XDG_CACHE_HOME:-$HOME/.cache}/ringback-tidy
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p "$kept"
find "$kept" -type f -mtime +30 -delete
rules=$(clang-tidy --version && cat .clang-tidy) || exit

# state OBJECT COMMAND: a name for all that clang-tidy sees; none where the build doesn't know what is included
state() {
  local included
  included=$(ninja -C "$build" -t deps "$1" | sed -n '/(VALID)$/,$ s/^    //p' | grep .) || return
  { echo "$rules ${2//"$PWD"/.}" && cd "$build" && xargs -d '\n' sha256sum <<<"$included"; } | sha256sum | cut -c 1-64
}

looked_at=0 failed=0 sources=0
while IFS=$'\t' read -r source object command; do
  ((++sources))
  state=$(state "$object" "$command") || state=''
  [[ -z $state || ! -e $kept/$state ]] || { touch "$kept/$state"; continue; }
  ((++looked_at))
  if clang-tidy -quiet --config-file=.clang-tidy -p "$build" "$source" >"$log" 2>&1; then
    # Nobody has written to it meanwhile.
    [[ -z $state || $(state "$object" "$command") != "$state" ]] || touch "$kept/$state"
  else
    grep -vE 'warnings.* generated|^Error while' "$log"
    failed=1
  fi
done < <(jq -r --arg room "$PWD/$room/" \
  'map(select(.file | startswith($room) and endswith(".cpp"))) | unique_by(.file)[] |
   [.file, (.command | capture(" -o (?<object>[^ ]+)").object), .command] | @tsv' "$build/compile_commands.json")
echo "$sources sources, $looked_at of them not known to be clean"
((sources && !failed))
