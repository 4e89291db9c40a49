#!/bin/bash
# run.sh MODEL holds|fails [-DSABOTAGE...]: searches every state of a Spin model for a deadlock, which is a lost wake-up,
# or a failed assertion. `holds` wants none; `fails` wants one, or else the model could not tell right from wrong.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
claim="$*"
model=$1 expected=$2
shift 2

if ! command -v spin > /dev/null; then
  echo "SKIPPED, NOTHING WAS PROVED: $claim. Install spin (Debian: apt install spin)." >&2
  exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
spin "$@" -a "$here/$model.pml" > spin.log || { cat spin.log; exit 1; }
cc -O2 -o pan pan.c
./pan -m1000000 > pan.log 2>&1 || true

# A search that did not see every state proves nothing.
if ! grep -q '^State-vector .* errors: [0-9]' pan.log || grep -qi 'search depth too small\|out of memory' pan.log; then
  cat pan.log
  exit 1
fi
errors=$(sed -n 's/^State-vector .* errors: //p' pan.log)
if [ "$errors" = 0 ]; then found=holds; else found=fails; fi
if [ "$found" != "$expected" ]; then
  cat pan.log
  echo "NOT OK: $claim, but it $found" >&2
  exit 1
fi
echo "ok: $claim ($(sed -n 's/^ *\([0-9]*\) states, stored$/\1/p' pan.log) states)"
