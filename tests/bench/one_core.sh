#!/bin/bash
# one_core.sh BIN [benchmark options]: the switch on one core, beside the bound.
set -euo pipefail
PATH=$(realpath "$1"):$PATH
shift
directory=$(mktemp -d)
export RINGBACK_DIRECTORY=$directory
ringback-hypervisor serve >"$directory/log" 2>&1 &
server=$!
end() {
  kill $server
  wait $server
  rm -rf "$directory"
}
trap end EXIT
for ((i = 0; i < 100; ++i)); do grep -qs serving "$directory/log" && break || sleep 0.05; done
# In the backend's domain, with its two guests' alive around it.
guest() { ringback-hypervisor exec "$1" -- "${@:2}"; }
guest 1 ringback-hypervisor exec 2 -- ringback-hypervisor exec 0 -- one_core "$@"
