#!/bin/bash
# growth_picture.sh SAMPLES FOLDER: growth's samples as FOLDER/growth-cost.svg and growth-latency.svg.
set -euo pipefail
samples=$1 folder=$2
# points NAME WHAT VALUE: a gnuplot data block of number, median, lowest, highest
points() {
  echo "\$$1 << END"
  jq -s -r --arg what "$2" 'map(select(.what == $what and .received.frames > 0)) | group_by(.number)[] | [.[0].number] + (map('"$3"') | sort | [.[length / 2 | floor], min, max]) | @tsv' "$samples"
  echo END
}
{
  cost='.worker_ns / .in_all.received'
  points vifs vifs "$cost"
  points queues queues "$cost"
  points addresses addresses "$cost"
  cat <<'PLOT'
set terminal svg size 1000,420 font "sans,11" background "white"
set title "What a frame of 64 bytes costs the switch"
set xlabel "how many"
set ylabel "ns of CPU"
set logscale x
set yrange [0:*]
set grid lc rgb "#dddddd"
set key outside right
plot $vifs using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title "busy vifs", \
  $queues using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title "queues of each of 2 vifs", \
  $addresses using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title "MAC addresses in use"
PLOT
} | gnuplot >"$folder/growth-cost.svg"
{
  points p50 load '.latency_ns."50" / 1000'
  points p99 load '.latency_ns."99" / 1000'
  points p999 load '.latency_ns."99.9" / 1000'
  cat <<'PLOT'
set terminal svg size 1000,420 font "sans,11" background "white"
set title "How long a frame takes from vif to vif"
set xlabel "load, % of saturation"
set ylabel "us"
set logscale y
set grid lc rgb "#dddddd"
set key outside right
plot $p50 using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title "median", \
  $p99 using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title "99 %", \
  $p999 using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.6 title "99.9 %"
PLOT
} | gnuplot >"$folder/growth-latency.svg"
