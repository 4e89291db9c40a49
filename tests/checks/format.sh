#!/bin/bash
# Every source is as clang-format would have it. `format.sh --fix` makes it so.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=(--dry-run -Werror)
[[ ${1:-} != --fix ]] || mode=(-i)
find net ring hypervisor xenstore frontend backend examples tests cmake -name '*.[ch]pp' -print0 |
  xargs -0 clang-format "${mode[@]}"
