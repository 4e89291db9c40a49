# shellcheck shell=bash
# Sourced by scripts that make a table of what a Google Benchmark program measures, as "$@" has it: BIN [FOLDER] [benchmark options].
# shellcheck source=tests/bench/page.sh
. "$(dirname "${BASH_SOURCE[0]}")/page.sh"
export LC_ALL=C
bench=$(dirname "${BASH_SOURCE[0]}")
programs=${1:?a folder of programs, such as build/release/bin} folder=''
shift
if (($#)) && [[ $1 != -* ]]; then
  folder=$1
  shift
fi
options=("$@")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# measure PROGRAM [benchmark options]: in turn what it has, for the machine may be shared. The caller's options come last.
measure() {
  "$bench/in_domains.sh" "$programs" "$1" --benchmark_format=json --benchmark_enable_random_interleaving=true \
    "${@:2}" "${options[@]}" >"$directory/json"
}
# tabulate NAME JQ'S ARGUMENTS: prints what jq makes of it, and puts that into FOLDER/performance.md
tabulate() {
  jq -L "$bench" -r "${@:2}" "$directory/json" | tee "$directory/table"
  [[ ! $folder ]] || into_page "$folder" "$1" "$directory/table"
}
