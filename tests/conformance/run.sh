#!/bin/bash
# run.sh RINGBACK_HYPERVISOR DOMID PROGRAM: runs the program in that domain of a hypervisor of its own, with a peer in
# domain 7, and looks that nothing is left behind.
set -eu
hypervisor=$1 domain=$2 program=$3
RINGBACK_DIRECTORY=$(mktemp -d)
export RINGBACK_DIRECTORY CONFORMANCE_PEER="$hypervisor exec 7 --"
mkfifo "$RINGBACK_DIRECTORY/ready"
"$hypervisor" serve >"$RINGBACK_DIRECTORY/ready" &
server=$!
trap 'kill $server; wait $server; rm -rf "$RINGBACK_DIRECTORY"' EXIT
read -r _ <"$RINGBACK_DIRECTORY/ready"

"$hypervisor" exec "$domain" -- "$program"

# dom0 is there for ever; nothing of it may be in use, and no other domain may be left (they go a moment after their
# last process).
for _ in 1 2 3 4 5 6 7 8 9 10; do
  left=$("$hypervisor" list | awk 'NR > 1 { for (i = 1; i <= NF; i++) sum += $i } END { print sum }')
  [ "$left" = 0 ] && exit 0
  sleep 0.1
done
"$hypervisor" list
echo "something was left behind"
exit 1
