#!/bin/bash
# Builds and runs the tests, on a fresh machine too:  tests/run.sh [--preset dev|tsan|release] [ctest options]
#   dev (the default) has AddressSanitizer and UndefinedBehaviorSanitizer, tsan ThreadSanitizer, release nothing.
#   tests/run.sh -R xenstore          those whose name has it in it (-N only lists them)
#   tests/run.sh --build-config tidy  and clang-tidy, which takes minutes
#   tests/run.sh xen [SUITE...]       the suites of tests/xen, on real Xen with real guests in QEMU (drop_in, or drop_in-pvh alone)
set -euo pipefail
# shellcheck source=packaging/setup.sh
. "$(dirname "$0")/../packaging/setup.sh"

preset=dev
case ${1:-} in
  --preset)
    preset=${2:-}
    [[ $preset =~ ^(dev|tsan|release)$ ]] || {
      echo "$0: --preset dev, tsan or release, not '$preset'" >&2
      exit 2
    }
    options=("${@:3}")
    ;;
  -h | --help)
    sed -n 's/^# \{0,1\}//; 2,/^set/ { /^set/!p }' "$0"
    exit
    ;;
  *) options=("$@") ;;
esac

become_root "$@"
if [[ ${options[0]:-} == xen ]]; then
  install_packages build lab test xen
  build release xen_programs
  exec "$ringback/tests/xen/run.sh" "$ringback/build/release/bin" "${options[@]:1}"
fi
install_packages build lab test
build "$preset"
echo "Running the tests"
cd "$ringback"
exec ctest --preset "$preset" --no-tests=error --parallel "$(nproc)" "${options[@]}"
