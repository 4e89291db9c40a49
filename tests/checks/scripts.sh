#!/bin/bash
# Every shell script is as shellcheck would have it.
set -euo pipefail
cd "$(dirname "$0")/../.."
find .ci/run packaging examples tests -name '*.sh' -print0 -o -path .ci/run -print0 |
  xargs -0 shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR --source-path=.
