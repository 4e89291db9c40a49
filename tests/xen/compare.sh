#!/bin/bash
# compare.sh PROGRAMS [FILE]: kernel netback beside ringbackd in one boot of real Xen, in turn; prints a table of medians,
# spreads and ratios in Markdown, and writes it to FILE.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$here/boot.sh" --programs "$1" --guests pv2 --timeout 1500 --out "$out" "$here/suites/compare.sh" >&2
table() {
  sort -k 3,3 -k 2,2 -k 4,4n "$out/results" | awk '
    function median(list, n, v) { n = split(list, v, " "); return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
    function cell(b, m, n, v) { n = split(values[b, m], v, " "); return n ? sprintf("%g (%g-%g)", median(values[b, m]), v[1], v[n]) : "-" }
    function ratio(b, m, base, own) { base = median(values["netback", m]); own = median(values[b, m]); return base > 0 ? sprintf("%.2f", own / base) : "-" }
    $4 != "failed" { values[$2, $3] = values[$2, $3] " " $4; if (!($3 in known)) { known[$3] = 1; order[++count] = $3 } }
    END {
      print "| measured | kernel netback | ringbackd, tap | ratio | ringbackd, switch | ratio |"
      print "|---|---|---|---|---|---|"
      for (i = 1; i <= count; ++i) {
        m = order[i]; label = m; sub(":", ", ", label)
        printf "| %s | %s | %s | %s | %s | %s |\n", label, cell("netback", m), cell("tap", m), ratio("tap", m), cell("switch", m), ratio("switch", m)
      }
    }'
}
table | tee "${2:-/dev/null}"
