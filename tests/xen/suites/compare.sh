# shellcheck shell=bash
# Measures, in one boot and in turn: kernel netback and a bridge, ringbackd with taps and the same bridge, ringbackd's
# switch. Emulation makes the figures meaningless and their ratios useful. guests=pv2 timeout=1500
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-3}
bridge_up xenbr0 10.0.0.1/24

attach_both() { # LIBXL'S WORDS...
  xl network-attach g1 mac=00:16:3e:00:00:01 "$@" && xl network-attach g2 mac=00:16:3e:00:00:02 "$@" &&
    reaches 10.0.0.2 30 && reaches 10.0.0.3 30 && in_guest 10.0.0.2 'ping -q -c 1 -w 10 10.0.0.3' >/dev/null
}
start() {
  case $1 in
    netback) modprobe xen-netback && attach_both bridge=xenbr0 script=vif-bridge ;;
    tap) daemon && attach_both bridge=xenbr0 script=vif-bridge ;;
    switch) daemon && attach_both bridge=xenbr0 script=vif-ringback ;;
  esac
}
stop() {
  xl network-detach g1 0
  xl network-detach g2 0
  case $1 in
    netback) modprobe -r xen-netback ;;
    *) end_daemon ;;
  esac
}

# All are read in dom0. CPU seconds that all of dom0 has used so far.
dom0_time() { xl list 0 | awk 'NR == 2 { print $6 }'; }
mbits() { awk '/receiver/ && !/SUM/ { one = $0 } /SUM.*receiver/ { sum = $0 } END { line = sum != "" ? sum : one
  for (n = split(line, w, " "); n > 1; --n) if (w[n] ~ /bits\/sec/) { print w[n - 1]; exit } }'; }
packets() { awk '/receiver/ { split($0, w, " "); for (i in w) if (w[i] ~ /^[0-9]+\/[0-9]+$/) { split(w[i], n, "/"); print int((n[2] - n[1]) / '"$seconds"') } }'; }
rtt() { awk -F '[ /]+' '/^rtt|^round-trip/ { print $8 }'; }

result() { printf 'RESULT %s %s %s\n' "$backend" "$1" "${2:-failed}"; }
stream() { # NAME COMMAND...: Mbit/s, and dom0's CPU time for a gigabyte
  local before after rate
  before=$(dom0_time)
  rate=$("${@:2}" 2>/dev/null | mbits)
  after=$(dom0_time)
  result "$1:Mbit/s" "$rate"
  result "$1:dom0-CPU-s/GB" "$(awk "BEGIN { if ($rate + 0 > 0) printf \"%.2f\", ($after - $before) / ($rate * $seconds / 8000) }")"
}
measure() {
  stream to-guest iperf3 -f m -t "$seconds" -c 10.0.0.2
  stream from-guest iperf3 -f m -t "$seconds" -R -c 10.0.0.2
  stream guest-to-guest in_guest 10.0.0.2 "iperf3 -f m -t $seconds -c 10.0.0.3"
  stream to-guest-4 iperf3 -f m -t "$seconds" -P 4 -c 10.0.0.2
  stream from-guest-4 iperf3 -f m -t "$seconds" -P 4 -R -c 10.0.0.2
  stream guest-to-guest-4 in_guest 10.0.0.2 "iperf3 -f m -t $seconds -P 4 -c 10.0.0.3"
  result udp-64-to-guest:packets/s "$(iperf3 -t "$seconds" -u -b 1G -l 64 -c 10.0.0.2 | packets)"
  result udp-64-guest-to-guest:packets/s "$(in_guest 10.0.0.2 "iperf3 -t $seconds -u -b 1G -l 64 -c 10.0.0.3" | packets)"
  result udp-1400-to-guest:packets/s "$(iperf3 -t "$seconds" -u -b 1G -l 1400 -c 10.0.0.2 | packets)"
  result udp-1400-guest-to-guest:packets/s "$(in_guest 10.0.0.2 "iperf3 -t $seconds -u -b 1G -l 1400 -c 10.0.0.3" | packets)"
  result round-trip-to-guest:ms "$(ping -q -f -c 500 10.0.0.2 | rtt)"
  result round-trip-guest-to-guest:ms "$(in_guest 10.0.0.2 'ping -q -f -c 500 10.0.0.3' | rtt)"
}
for ((round = 0; round < rounds; ++round)); do
  for backend in netback tap switch; do
    claim "$backend: both guests are reached" start $backend
    measure | tee -a /out/results
    stop $backend >/dev/null 2>&1
  done
done
verdicts
