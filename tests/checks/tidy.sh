#!/bin/bash
# tidy.sh BUILD_FOLDER: every C++ source that it compiles is as clang-tidy would have it (.clang-tidy). The few in C speak
# for programs of others.
set -euo pipefail
cd "$(dirname "$0")/../.."
rooms=$(printf '%s|' net ring hypervisor xenstore frontend backend examples)tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run-clang-tidy -quiet -p "$1" -j "$(nproc)" "^$PWD/($rooms)/.*\.cpp$" >"$log" 2>&1 || {
  grep -vE '^clang-tidy|warnings generated' "$log"
  exit 1
}
echo "$(grep -c '^clang-tidy' "$log") sources"
