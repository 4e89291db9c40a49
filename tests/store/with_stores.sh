#!/bin/bash
# with_stores.sh STORE_SERVER_ALONE SHIM FOLDER COMMAND...: runs COMMAND with the embedded store at $OURS/0, and beside it
# Debian's xenstored at $REFERENCE/socket (domain 0 of both). Guests exist once COMMAND has introduced them: $OURS/1,
# $REFERENCE/1, and so on.
set -eu
server=$1 shim=$2 folder=$3
shift 3
program=$("$(dirname "$0")/xen_program.sh" "$folder" xenstored) || exit $?

work=$(mktemp -d)
pids=()
clean_up() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
export OURS=$work/ours REFERENCE=$work/reference
mkdir "$OURS" "$REFERENCE"

"$server" "$OURS" --bare &
pids+=($!)
XENSTORED_RUNDIR=$REFERENCE XENSTORED_ROOTDIR=$REFERENCE XENSTORED_PATH=$REFERENCE/socket \
  LD_PRELOAD=$shim "$program" -N --pid-file "$REFERENCE/pid" &
pids+=($!)
for socket in "$OURS/0" "$REFERENCE/socket"; do
  for _ in $(seq 200); do [ -S "$socket" ] && break; sleep 0.05; done
  [ -S "$socket" ] || { echo "no store at $socket" >&2; exit 1; }
done
"$@"
