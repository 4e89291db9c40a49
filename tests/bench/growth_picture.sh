#!/bin/bash
# growth_picture.sh SAMPLES FOLDER: growth's samples as FOLDER/growth-cost.svg and growth-latency.svg.
set -euo pipefail
samples=$1 folder=$2
# points WHAT VALUE: number, median, lowest, highest
points() {
  jq -L "$(dirname "$0")" -s -r --arg what "$1" 'include "figures"; map(select(.what == $what and .received.frames > 0 and undisturbed)) | group_by(.number)[] |
    [.[0].number] + (map('"$2"') | sort | [.[length / 2 | floor], min, max]) | @tsv' "$samples"
}
# draw FILE TITLE X Y LOGARITHMIC then, for each line, TITLE WHAT VALUE
draw() {
  local file=$1 i=0 lines=''
  {
    printf 'set title "%s"\nset xlabel "%s"\nset ylabel "%s"\nset logscale %s\n' "${@:2:4}"
    shift 5
    while (($#)); do
      printf '$line%d << END\n%s\nEND\n' $((++i)) "$(points "$2" "$3")"
      lines+="${lines:+, }\$line$i using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title \"$1\""
      shift 3
    done
    printf 'set terminal svg size 1000,420 font "sans,11" background "white"\nset grid lc rgb "#dddddd"\nset key outside right\n'
    echo "plot $lines"
  } | gnuplot >"$folder/$file.svg"
}
cost='.worker_ns / .in_all.received'
draw growth-cost "What a frame of 64 bytes costs the switch" "how many" "ns of CPU" x \
  "busy vifs" vifs "$cost" "queues of each of 2 vifs" queues "$cost" "MAC addresses in use" addresses "$cost"
draw growth-latency "How long a frame takes from vif to vif" "load, % of saturation" us y \
  "median" load '.latency_ns."50" / 1000' "99 %" load '.latency_ns."99" / 1000' "99.9 %" load '.latency_ns."99.9" / 1000'
