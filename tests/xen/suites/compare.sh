# shellcheck shell=bash
# Measures, in one boot and in turn: kernel netback and a bridge, ringbackd with taps and the same bridge, ringbackd's
# switch, and QEMU's xen_nic where that was brought along. Emulation makes the figures meaningless and their ratios useful. guests=pv2 timeout=1500
# BACKEND_DOMAIN=driver: the backends are in a PVH driver domain, which runs this file for its functions too.
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
. /payload/words
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-3} domain=${BACKEND_DOMAIN:-dom0}

# there COMMAND...: in the backends' domain
there() { "$@"; }
# By its console, which is open as 7.
in_driver() {
  local mark=END-${EPOCHREALTIME/[.,]/} line
  echo "${*@Q}; echo $mark \$?" >&7
  while IFS= read -r -t 120 line <&7; do
    line=${line%$'\r'}
    if [[ $line == "$mark "* ]]; then return "${line##* }"; fi
    printf '%s\n' "$line"
  done
  return 1
}
# PVH, for there no system call goes through Xen. Should QEMU crash it (`guest`), there is a new one for the next backend.
driver_up() {
  [[ $domain == dom0 ]] || there true && return
  xl destroy driver
  : >/var/log/xen/console/guest-driver.log
  kind=pvh driver_domain 400 '. /payload/suite' && says driver DRIVER-UP 120 || return
  exec 7<>"$(xenstore-read "/local/domain/$(xl domid driver)/console/tty")"
  there bridge_up xenbr0 10.0.0.1/24
}
# In the driver domain: obeys dom0, and libxl.
serve() {
  local line
  export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib
  cp -a /payload/scripts/. /etc/xen/scripts/
  xl devd -F >/out/devd.log 2>&1 &
  stty -echo -F /dev/hvc0
  echo DRIVER-UP
  while read -r line; do eval "$line" </dev/null; done </dev/hvc0
}

both_reached() { there reaches 10.0.0.2 30 && there reaches 10.0.0.3 30 && there in_guest 10.0.0.2 'ping -q -c 1 -w 10 10.0.0.3' >/dev/null; }
# QEMU makes the vif's keys itself.
xen_nic() { # GUEST NUMBER
  ip tuntap add dev "q$2" mode tap
  ip link set "q$2" master xenbr0 up
  xen-qemu-system-i386 -xen-domid "$(xl domid "$1")" -xen-attach -M xenpv -name "$1" -nodefaults -no-user-config -display none \
    -monitor "unix:/tmp/monitor$2,server,nowait" -netdev "tap,id=n,ifname=q$2,script=no,downscript=no,vhost=off" \
    -device "xen-net-device,netdev=n,idx=0,mac=00:16:3e:00:00:0$2,id=v" >>/out/qemu.log 2>&1 &
  backend_pids="$backend_pids $!"
}
end_xen_nic() {
  local i
  for i in 1 2; do echo 'device_del v' | socat -t2 - "UNIX-CONNECT:/tmp/monitor$i"; done
  sleep 2
  # shellcheck disable=SC2086 # several
  kill $backend_pids
  sleep 1
  for i in 1 2; do ip link delete "q$i"; done
}

attach_both() { # LIBXL'S WORDS...
  xl network-attach g1 mac=00:16:3e:00:00:01 backend="${domain/dom0/0}" "$@" &&
    xl network-attach g2 mac=00:16:3e:00:00:02 backend="${domain/dom0/0}" "$@" && both_reached
}
# shellcheck disable=SC2119 # no options
ringbackd_up() { daemon && backend_pids=$daemon_pid; }
start() {
  driver_up && there eval "backend_pids=''" || return
  case $1 in
    netback) there modprobe xen-netback && attach_both bridge=xenbr0 script=vif-bridge ;;
    tap) no_netback && there ringbackd_up && attach_both bridge=xenbr0 script=vif-bridge ;;
    switch) no_netback && there ringbackd_up && attach_both bridge=xenbr0 script=vif-ringback ;;
    qemu) xen_nic g1 1 && xen_nic g2 2 && both_reached ;;
  esac
}
# Else what is next would be measured over it.
no_netback() { ! there test -e /sys/module/xen_netback; }
stop() {
  if [[ $1 == qemu ]]; then
    end_xen_nic
    return
  fi
  xl network-detach g1 0 && xl network-detach g2 0 || return
  case $1 in
    netback) there modprobe -r xen-netback && no_netback ;;
    *)
      there end_daemon || return
      [[ $domain == dom0 ]] || in_driver cat /out/ringbackd.log >>/out/ringbackd.log # to be judged
      ;;
  esac
}

# CPU seconds that all of the backends' domain has used so far.
domain_time() { xl list "${domain/dom0/0}" | awk 'NR == 2 { print $6 }'; }
# CPU seconds of the backend's processes, and of kernel netback's threads (what it does in softirqs nobody counts).
backend_time() {
  # shellcheck disable=SC2046,SC2086 # several
  cat /dev/null $(printf '/proc/%s/stat ' $backend_pids $(grep -l '^vif' /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3)) 2>/dev/null |
    awk '{ sub(/.*\) /, ""); sum += $12 + $13 } END { print sum / 100 }'
}
mbits() { awk '/receiver/ && !/SUM/ { one = $0 } /SUM.*receiver/ { sum = $0 } END { line = sum != "" ? sum : one
  for (n = split(line, w, " "); n > 1; --n) if (w[n] ~ /bits\/sec/) { print w[n - 1]; exit } }'; }
packets() { awk '/receiver/ { split($0, w, " "); for (i in w) if (w[i] ~ /^[0-9]+\/[0-9]+$/) { split(w[i], n, "/"); print int((n[2] - n[1]) / '"$seconds"') } }'; }
rtt() { awk -F '[ /]+' '/^rtt|^round-trip/ { print $8 }'; }

result() { printf 'RESULT %s %s %s\n' "$backend" "$1" "${2:-failed}"; }
stream() { # NAME COMMAND...: Mbit/s, and CPU time of the backends' domain and of the backend for a gigabyte
  local before after rate backend_before backend_after
  before=$(domain_time) backend_before=$(there backend_time)
  rate=$(there "${@:2}" 2>/dev/null | mbits)
  after=$(domain_time) backend_after=$(there backend_time)
  result "$1:Mbit/s" "$rate"
  result "$1:$domain-CPU-s/GB" "$(per_gigabyte "$before" "$after" "$rate")"
  result "$1:backend-CPU-s/GB" "$(per_gigabyte "$backend_before" "$backend_after" "$rate")"
}
per_gigabyte() { awk "BEGIN { if (${3:-0} > 0) printf \"%.2f\", (${2:-0} - ${1:-0}) / ($3 * $seconds / 8000) }"; }
measure() {
  stream to-guest iperf3 -f m -t "$seconds" -c 10.0.0.2
  stream from-guest iperf3 -f m -t "$seconds" -R -c 10.0.0.2
  stream guest-to-guest in_guest 10.0.0.2 "iperf3 -f m -t $seconds -c 10.0.0.3"
  stream to-guest-4-streams iperf3 -f m -t "$seconds" -P 4 -c 10.0.0.2
  stream from-guest-4-streams iperf3 -f m -t "$seconds" -P 4 -R -c 10.0.0.2
  stream guest-to-guest-4-streams in_guest 10.0.0.2 "iperf3 -f m -t $seconds -P 4 -c 10.0.0.3"
  result udp-64-to-guest:packets/s "$(there iperf3 -t "$seconds" -u -b 1G -l 64 -c 10.0.0.2 | packets)"
  result udp-64-guest-to-guest:packets/s "$(there in_guest 10.0.0.2 "iperf3 -t $seconds -u -b 1G -l 64 -c 10.0.0.3" | packets)"
  result udp-1400-to-guest:packets/s "$(there iperf3 -t "$seconds" -u -b 1G -l 1400 -c 10.0.0.2 | packets)"
  result udp-1400-guest-to-guest:packets/s "$(there in_guest 10.0.0.2 "iperf3 -t $seconds -u -b 1G -l 1400 -c 10.0.0.3" | packets)"
  result round-trip-to-guest:ms "$(there ping -q -f -c 500 10.0.0.2 | rtt)"
  result round-trip-guest-to-guest:ms "$(there in_guest 10.0.0.2 'ping -q -f -c 500 10.0.0.3' | rtt)"
}
succeeded() { none_of ' failed$' /tmp/measured; }
[[ ${role-} != driver ]] || serve
if [[ $domain == dom0 ]]; then bridge_up xenbr0 10.0.0.1/24; else there() { in_driver "$@"; }; fi
for ((round = 0; round < rounds; ++round)); do
  for backend in netback tap switch $(command -v xen-qemu-system-i386 >/dev/null && echo qemu); do
    claim "$backend: both guests are reached" start "$backend"
    measure | tee /tmp/measured | tee -a /out/results
    # Of xen_nic, which carries 3 Mbit/s, what can be had.
    [[ $backend == qemu ]] || claim "$backend: nothing failed" succeeded
    claim "$backend: ends, and leaves the guests" stop "$backend"
  done
done
verdicts
