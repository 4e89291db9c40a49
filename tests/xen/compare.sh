#!/bin/bash
# compare.sh [FOLDER]: kernel netback, ringbackd and QEMU's xen_nic in one boot of real Xen, in turn. Prints a
# table of medians, spreads and ratios in Markdown, and puts it into FOLDER/xen-comparison.md, with xen-comparison.svg.
# ROUNDS (5) and SECONDS_EACH (3) can be set, and BACKEND_DOMAIN=driver: backends in a PVH driver domain, without xen_nic; it
# has its own table there, and no picture.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
# shellcheck source=packaging/setup.sh
. "$here/../../packaging/setup.sh"
folder=${1:-}
become_root "$@"
install_packages build lab test xen compare
build release >&2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cache=${RINGBACK_XEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringback-xen}
domain=${BACKEND_DOMAIN:-dom0} qemu='' mark=table
case $domain in
  dom0) # the first QEMU whose xen_nic connects to Linux's netfront
    "$here/image/backports.sh" "$cache" qemu-system-xen || exit
    qemu=$cache/backports/usr/libexec/xen-qemu-system-i386
    ;;
  driver) mark='driver domain' ;;
  *)
    echo "$0: BACKEND_DOMAIN is dom0 or driver" >&2
    exit 2
    ;;
esac
# In one QEMU, that of PVH guests, whatever the domain: figures of two can't be compared.
"$here/boot.sh" --kind pvh --programs "$ringback/build/release/bin" --with "$qemu" --guests pv2 --timeout 2400 --out "$out" \
  --words "ROUNDS=${ROUNDS:-5} SECONDS_EACH=${SECONDS_EACH:-3} BACKEND_DOMAIN=$domain" "$here/suites/compare.sh" >&2

# statistics: `measure backend median lowest highest ratio`, ratio to kernel netback, above 1 where better
statistics() {
  sort -k 3,3 -k 2,2 -k 4,4g "$out/results" | awk '
    function median(list, n, v) { n = split(list, v, " "); return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
    $4 != "failed" { values[$3, $2] = values[$3, $2] " " $4 }
    END {
      for (key in values) {
        split(key, k, SUBSEP); n = split(values[key], v, " "); base = median(values[k[1], "netback"]); own = median(values[key])
        lower = k[1] ~ /:(ms|.*-CPU-s\/GB)$/
        ratio = !(base > 0 && own > 0) ? "-" : sprintf("%.3g", lower ? base / own : own / base)
        print k[1], k[2], own, v[1], v[n], ratio
      }
    }' | sort
}
statistics >"$out/statistics"

table() {
  echo "| measured | kernel netback | ringbackd, tap | times | ringbackd, switch | times |${qemu:+ QEMU xen_nic | times |}"
  echo "|---|---|---|---|---|---|${qemu:+---|---|}"
  awk -v qemu="$qemu" '
    { cell[$1, $2] = $3 " (" $4 "-" $5 ")"; ratio[$1, $2] = $6; if (!seen[$1]++) order[++count] = $1 }
    function column(m, b) { return ((m, b) in cell ? cell[m, b] : "-") " | " ((m, b) in ratio ? ratio[m, b] : "-") }
    END {
      for (i = 1; i <= count; ++i) {
        m = order[i]; label = m; sub(":", ", ", label); gsub("-", " ", label)
        print "| " label " | " cell[m, "netback"] " | " column(m, "tap") " | " column(m, "switch") " |" (qemu ? " " column(m, "qemu") " |" : "")
      }
    }' "$out/statistics"
}

picture() {
  local backend
  for backend in tap switch qemu; do
    echo "\$$backend << END"
    awk -v backend="$backend" '
      $2 == "netback" { order[++count] = $1 }
      $2 == backend { ratio[$1] = $6 }
      END { for (i = 1; i <= count; ++i) { m = order[i]; sub(":.*", "", m); if (order[i] !~ /CPU/) print m, (order[i] in ratio && ratio[order[i]] != "-") ? ratio[order[i]] : "0" } }' "$out/statistics"
    echo END
  done
  cat <<'PLOT'
set terminal svg size 1000,480 font "sans,11" background "white"
set title "Times kernel netback in the same boot (emulated Xen): above 1 is better"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set grid ytics lc rgb "#dddddd"
set yrange [0:*]
set xtics rotate by -35 nomirror
set key outside top center horizontal
plot $tap using 2:xtic(1) title "ringbackd, tap" lc rgb "#3b6ea5", $switch using 2 title "ringbackd, switch" lc rgb "#58a55c", \
  $qemu using 2 title "QEMU xen\\_nic" lc rgb "#c0504d", 1 with lines title "kernel netback" lc rgb "#444444" dt 2
PLOT
}

if [[ -n $folder ]]; then
  page=$folder/xen-comparison.md
  mkdir -p "$folder"
  grep -qs "<!-- $mark -->" "$page" || printf '<!-- %s -->\n<!-- end of table -->\n' "$mark" >>"$page"
  table | tee "$out/table"
  sed -i -e "/<!-- $mark -->/r $out/table" -e "/<!-- $mark -->/,/<!-- end of table -->/ { /^|/d }" "$page"
  [[ -z $qemu ]] || picture | gnuplot >"$folder/xen-comparison.svg"
else
  table
fi
