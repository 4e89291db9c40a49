#!/bin/bash
# Every shell script is as shellcheck would have it.
set -euo pipefail
cd "$(dirname "$0")/../.."
find .ci/run packaging examples tests \( -name '*.sh' -o -path .ci/run -o -path tests/bench/compare \) -print0 |
  xargs -0 shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR --source-path=.
