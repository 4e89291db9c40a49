#!/bin/bash
# run.sh PROGRAMS [SUITE...]: boots real Xen in QEMU for each suite (all of suites/ but the comparison, which measures), and
# runs it in dom0 with the programs of that folder. Fails if a claim does not hold. A suite's first lines say which guests
# it wants up, whether some are PVH, and how long it may take. Each has two processors, dom0's and the guests', and 4 GiB of
# memory: as many run at once as there are such pairs. (Two on two processors take longer than one after the other: Xen's
# locks are waited for by spinning.) What a suite prints comes when it has ended.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
programs=$1
shift
suites=("$@")
((${#suites[@]})) || suites=(driver_domain abuse restart data drop_in switch netfront conformance) # the longest first
for suite in "${suites[@]}"; do
  [[ -e $here/suites/$suite.sh ]] || {
    echo "$0: there is no suite '$suite'; there are: $(cd "$here/suites" && echo *.sh | sed 's/\.sh//g')" >&2
    exit 2
  }
done
most=$(awk '/^MemAvailable/ { print int($2 / 4194304) }' /proc/meminfo)
((most <= $(nproc) / 2)) || most=$(($(nproc) / 2))
((most >= 1)) || most=1

printed=$(mktemp -d)
declare -A running=() # by process
end() {
  trap '' INT TERM
  ((${#running[@]} == 0)) || kill "${!running[@]}"
  wait
  rm -rf "$printed"
}
trap end EXIT
trap 'exit 143' INT TERM

option() { sed -n "2,4 s/.*$2=\([a-z0-9]*\).*/\1/p" "$here/suites/$1.sh" | head -n 1; }
begin() {
  local guests timeout pvh=()
  guests=$(option "$1" guests) timeout=$(option "$1" timeout)
  [[ -z $(option "$1" pvh) ]] || pvh=(--pvh)
  echo "--- $1 begins"
  "$here/boot.sh" --programs "$programs" "${pvh[@]}" --guests "${guests:-none}" --timeout "${timeout:-300}" "$here/suites/$1.sh" >"$printed/$1" 2>&1 &
  running[$!]=$1
  begun[$!]=$SECONDS
}
finish_one() {
  local process='' status=0
  wait -n -p process "${!running[@]}" || status=$?
  # Bash may have told of its end already, where a signal was that.
  [[ -n $process ]] || for process in "${!running[@]}"; do kill -0 "$process" 2>/dev/null || break; done
  local suite=${running[$process]}
  unset "running[$process]"
  echo "--- $suite"
  cat "$printed/$suite"
  echo "--- $suite: exit status $status after $((SECONDS - begun[process])) s"
  ((status == 0)) || failed+=("$suite ($status)")
}

failed=()
begun=() # by process
for suite in "${suites[@]}"; do
  ((${#running[@]} < most)) || finish_one
  begin "$suite"
done
while ((${#running[@]})); do finish_one; done
echo "${#suites[@]} suites on real Xen in $SECONDS s; failed: ${failed[*]:-none}"
((${#failed[@]} == 0))
