#!/bin/bash
# run.sh PROGRAMS [SUITE|SUITE-KIND...]: boots real Xen in QEMU for each suite (all of suites/ but the comparison, which
# measures), and runs it in dom0 with the programs of that folder. Fails if a claim does not hold. A suite's first lines say
# which kinds of guests it has a run for (PV alone, or kinds=pv,pvh), which of them it wants up, how many MiB of random bytes
# it wants (random=16), how long a run may take, and that it keeps one processor busy (busy=1): each has two, dom0's and the
# guests'. As many run at once as processors and memory, 4 GiB for each, allow. (Where two on two processors keep both busy,
# they take longer than one after the other: Xen's locks are waited for by spinning.) What a suite prints comes when it has
# ended.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
programs=$1
shift
# option SUITE WORD: what its first lines say
option() { sed -n "2,4 s/.*$2=\([a-z0-9,]*\).*/\1/p" "$here/suites/$1.sh" | head -n 1; }
kinds_of() { option "$1" kinds | grep . || echo pv; }
busy() { option "${1%-*}" busy | grep . || echo 2; }
names=("$@")
((${#names[@]})) || names=(driver_domain restart data switch abuse drop_in netfront conformance)
runs=() # a suite and a kind each
for name in "${names[@]}"; do
  if [[ -e $here/suites/$name.sh ]]; then
    for kind in $(kinds_of "$name" | tr , ' '); do runs+=("$name-$kind"); done
  elif [[ -e $here/suites/${name%-*}.sh && ,$(kinds_of "${name%-*}"), == *,"${name##*-}",* ]]; then
    runs+=("$name")
  else
    echo "$0: there is no suite '$name'; there are: $(cd "$here/suites" && echo *.sh | sed 's/\.sh//g'); some have runs of two kinds, as drop_in-pv and drop_in-pvh" >&2
    exit 2
  fi
done
most=$(awk '/^MemAvailable/ { print int($2 / 4194304) }' /proc/meminfo)
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

begin() {
  local suite=${1%-*} kind=${1##*-} guests timeout random
  guests=$(option "$suite" guests) timeout=$(option "$suite" timeout) random=$(option "$suite" random)
  [[ $guests == "$kind"[0-9]* ]] || guests=none
  echo "--- $1 begins"
  taken=$((taken + $(busy "$1")))
  "$here/boot.sh" --programs "$programs" --kind "$kind" --guests "$guests" --random "${random:-0}" --timeout "${timeout:-300}" "$here/suites/$suite.sh" >"$printed/$1" 2>&1 &
  running[$!]=$1
  begun[$!]=$SECONDS
}
finish_one() {
  local process='' status=0
  wait -n -p process "${!running[@]}" || status=$?
  # Bash may have told of its end already, where a signal was that.
  [[ -n $process ]] || for process in "${!running[@]}"; do kill -0 "$process" 2>/dev/null || break; done
  local run=${running[$process]}
  unset "running[$process]"
  taken=$((taken - $(busy "$run")))
  echo "--- $run"
  cat "$printed/$run"
  echo "--- $run: exit status $status after $((SECONDS - begun[process])) s"
  ((status == 0)) || failed+=("$run ($status)")
}

failed=()
begun=() # by process
taken=0  # processors
for run in "${runs[@]}"; do
  while ((${#running[@]} && (${#running[@]} >= most || taken + $(busy "$run") > $(nproc)))); do finish_one; done
  begin "$run"
done
while ((${#running[@]})); do finish_one; done
echo "${#runs[@]} runs of suites on real Xen in $SECONDS s; failed: ${failed[*]:-none}"
((${#failed[@]} == 0))
