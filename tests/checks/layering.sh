#!/bin/bash
# layering.sh COMPILER ROOM=INCLUDE_FOLDER,... ...: tries every room's header with the include folders that each room is
# built with. What is below builds; what is not doesn't (docs/architecture.md).
set -euo pipefail
compiler=$1
shift
declare -A folders
for pair; do folders[${pair%%=*}]=${pair#*=}; done

declare -A header=([net]=net/headers.hpp [ring]=ring/shared_ring.hpp [hypervisor]=hypervisor/grants.hpp
  [xenstore]=xenstore/store.hpp [frontend]=frontend/netfront.hpp [backend]=backend/queue.hpp)
declare -A may_use=([net]="net" [ring]="net ring" [hypervisor]="net ring hypervisor"
  [xenstore]="net ring hypervisor xenstore" [frontend]="net ring hypervisor xenstore frontend"
  [backend]="net ring hypervisor xenstore backend")

failed=0
complain() {
  echo "$*"
  failed=1
}

sources=$(realpath "$(dirname "$0")/../..")
cd / # an include in the standard input is looked for here first
for room in "${!may_use[@]}"; do
  IFS=, read -ra include <<<"${folders[$room]}"
  for other in "${!header[@]}"; do
    if message=$("$compiler" -x c++ -std=c++20 -E -o /dev/null "${include[@]/#/-I}" - 2>&1 \
      <<<"#include \"${header[$other]}\""); then
      [[ " ${may_use[$room]} " == *" $other "* ]] || complain "$room can include ${header[$other]}"
    else
      [[ " ${may_use[$room]} " != *" $other "* && $message == *"${header[$other]}: No such file"* ]] ||
        complain "$room cannot include ${header[$other]}: $message"
    fi
  done
done

# The way around the include folders.
cd "$sources"
! grep -rnE '#include *["<][^">]*\.\./' --include='*.[ch]pp' --include='*.h' --include='*.c' "${!may_use[@]}" examples tests ||
  complain "includes go from the room's name, not through .."
exit "$failed"
