#!/bin/bash
# in_domains.sh BIN COMMAND...: in domain 0 of an embedded hypervisor of its own, while domains 1 and 2 live.
set -euo pipefail
PATH=$(realpath "$1"):$PATH
shift
directory=$(mktemp -d)
export RINGBACK_DIRECTORY=$directory
ulimit -n "$(ulimit -H -n)" # each guest has descriptors
# Memory for as many guests in one domain as a benchmark has.
ringback-hypervisor serve --domain-memory 1024 >"$directory/log" 2>&1 &
server=$!
end() {
  kill $server
  wait $server
  rm -rf "$directory"
}
trap end EXIT
for ((i = 0; i < 100; ++i)); do
  ! grep -qs serving "$directory/log" || break
  sleep 0.05
done
in_domain() { ringback-hypervisor exec "$1" -- "${@:2}"; }
in_domain 1 ringback-hypervisor exec 2 -- ringback-hypervisor exec 0 -- "$@"
