#!/bin/bash
# interrupted.sh BIN SIGNAL: a lab whose script is ended by the signal leaves no process, namespace or folder behind.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/script.sh" <<SCRIPT
set -eu
. "$here/../../examples/lab.sh"
lab_start "$1"
lab_guest 1
lab_vif 1 0
readlink /proc/self/ns/pid >"$work/runs"
sleep 60
SCRIPT

# A shell's background jobs ignore SIGINT, unless they are told not to.
env --default-signal=INT bash "$work/script.sh" >"$work/output" 2>&1 &
script=$!
for ((i = 0; i < 600; ++i)); do
  [[ ! -s $work/runs ]] || break
  kill -0 "$script" || { cat "$work/output"; exit 1; }
  sleep 0.1
done
namespace=$(cat "$work/runs")
in_namespace() { { readlink /proc/[0-9]*/ns/pid 2>/dev/null || true; } | grep -xF "$namespace" || true; }
[[ -n $(in_namespace) ]] || { echo "the lab does not run" >&2; exit 1; }

kill -s "$2" "$script"
wait "$script" || true
for ((i = 0; i < 50; ++i)); do
  [[ -n $(in_namespace) ]] || break
  sleep 0.1
done
[[ -z $(in_namespace) ]] || { echo "processes are left" >&2; exit 1; }
! grep -q '^lab ' /proc/mounts || { echo "left mounted: $(grep '^lab ' /proc/mounts)" >&2; exit 1; }
! ip netns list | grep -q '^domain-' || { echo "left: $(ip netns list)" >&2; exit 1; }
