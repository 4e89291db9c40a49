#!/bin/bash
# run.sh PROGRAMS [SUITE...]: boots real Xen in QEMU for each suite (all of suites/ but the comparison, which measures), and
# runs it in dom0 with the programs of that folder. Fails if a claim does not hold. A suite's first lines say which guests
# it wants up and how long it may take.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
programs=$1
shift
suites=("$@")
((${#suites[@]})) || suites=(conformance drop_in switch data restart netfront driver_domain abuse)

option() { sed -n "2,4 s/.*$2=\([a-z0-9]*\).*/\1/p" "$here/suites/$1.sh" | head -n 1; }

failed=()
start=$SECONDS
for suite in "${suites[@]}"; do
  [[ -e $here/suites/$suite.sh ]] || {
    echo "$0: there is no suite '$suite'; there are: $(cd "$here/suites" && echo *.sh | sed 's/\.sh//g')" >&2
    exit 2
  }
  guests=$(option "$suite" guests) timeout=$(option "$suite" timeout)
  echo "--- $suite"
  suite_start=$SECONDS
  "$here/boot.sh" --programs "$programs" --guests "${guests:-none}" --timeout "${timeout:-300}" "$here/suites/$suite.sh"
  status=$?
  echo "--- $suite: exit status $status after $((SECONDS - suite_start)) s"
  ((status == 0)) || failed+=("$suite ($status)")
done
echo "${#suites[@]} suites on real Xen in $((SECONDS - start)) s; failed: ${failed[*]:-none}"
((${#failed[@]} == 0))
