#!/bin/bash
# picture.sh RESULTS FOLDER: compare's figures by size as FOLDER/performance-mpps.svg and -gbits.svg.
set -euo pipefail
results=$1 folder=$2
draw() { # FIELD SCALE NAME UNIT
  local name titles=()
  {
    while IFS=$'\t' read -r name title; do
      echo "\$$name << END"
      jq -r --arg name "$name" --arg field "$1" --argjson scale "$2" '.figures | sort_by(.size)[] |
        select(.name == $name and .touch == "no") | . as $figure | .usual[$field] | select(.) |
        "\($figure.size) \(.median / $scale) \(.lowest / $scale) \(.highest / $scale)"' "$results"
      echo END
      titles+=("\$$name using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title \"$title\"")
    done < <(jq -r '[.figures[] | select(.title != .name and .frames_per_second) | [.name, .title]] | unique[] | @tsv' "$results")
    cat <<PLOT
set terminal svg size 1000,520 font "sans,11" background "white"
set title "One core carries the traffic, one is the switch; samples with the two $(jq -r .class "$results")"
set xlabel "bytes of a frame"
set ylabel "$4"
set logscale xy
set grid lc rgb "#dddddd"
set key outside right
set xtics (64, 128, 256, 512, 1024, 1514, 65535)
plot $(printf '%s, ' "${titles[@]}" | sed 's/, $//')
PLOT
  } | gnuplot >"$folder/performance-$3.svg"
}
jq -e '[.figures[] | select(.frames_per_second)] != []' "$results" >/dev/null || {
  echo "nothing was measured: there is nothing to draw" >&2
  exit
}
draw frames_per_second 1e6 mpps "million frames a second"
draw bits_per_second 1e9 gbits "Gbit/s"
