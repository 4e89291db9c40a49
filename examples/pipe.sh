#!/bin/bash
# pipe.sh BIN: sends 64 MiB through the pipe, from domain 1 to domain 0 of a hypervisor of its own, and compares.
# BIN is the folder of the programs.
set -euo pipefail
PATH=$(realpath "$1"):$PATH
RINGBACK_DIRECTORY=$(mktemp -d)
export RINGBACK_DIRECTORY
cd "$RINGBACK_DIRECTORY"

mkfifo ready
ringback-hypervisor serve >ready &
hypervisor=$!
trap 'kill "$hypervisor" && wait "$hypervisor"; rm -rf "$RINGBACK_DIRECTORY"' EXIT
read -r _ <ready

head -c 64M /dev/urandom >sent
ringback-hypervisor exec 0 -- pipe_backend 1 >received &
backend=$!
ringback-hypervisor exec 1 -- pipe_frontend <sent
wait "$backend"
cmp sent received
echo "$(stat -c %s received) bytes went from domain 1 to domain 0 as they were"
