#!/bin/bash
# Two guests exchange real traffic through ringbackd, on this machine, with no Xen and nothing to prepare:
#
#   examples/demo.sh [--no-offload] [--seconds N]
#
#   --no-offload  guests without GSO and checksum offload: frames of the size of the MTU
#   --seconds N   of each measurement, 1 to 60 (default: 5)
#
#   guest 1  eth0 --- ringbackd's switch ------- eth0  guest 2
#            eth1 --- ringbackd --- tap ------ vif1.1  the host
#   yard1    eth0 --- veth, Linux bridge, veth - eth0  yard2     the yardstick: nothing but the kernel
set -euo pipefail
export LC_ALL=C # numbers with points
demo=$(realpath "$0")
ringback=$(dirname "$demo")/..

netfront_options=()
seconds=5
arguments=("$@")
usage() { sed -n '2,/^set/ { /^set/!{ s/^# \{0,1\}//p } }' "$demo"; }
while (($#)); do
  case $1 in
    --no-offload) netfront_options=(--no-offload) ;;
    --seconds)
      seconds=${2:-}
      [[ $seconds =~ ^[0-9]{1,2}$ ]] && ((10#$seconds >= 1 && 10#$seconds <= 60)) || {
        echo "$0: --seconds takes 1 to 60, not '$seconds'" >&2
        exit 2
      }
      shift
      ;;
    -h | --help)
      usage
      exit
      ;;
    *)
      echo "$0: what is '$1'?" >&2
      usage >&2
      exit 2
      ;;
  esac
  shift
done
set -- "${arguments[@]}"

if [[ ! -v RINGBACK_LAB ]]; then
  . "$ringback/packaging/setup.sh"
  become_root "$@"
  [[ -c /dev/net/tun ]] || {
    echo "There is no /dev/net/tun, which taps need: try modprobe tun; a container has to be given the device" >&2
    exit 1
  }
  unshare --mount true || {
    echo "This needs mount namespaces, and a root folder that is a mount point (in a chroot: mount --bind it on itself)" >&2
    exit 1
  }
  install_packages build lab
  build release ringbackd ringback ringback-netfront ringback-hypervisor drop_in_xenevtchn drop_in_xengnttab
fi
. "$ringback/examples/lab.sh" # from here on in namespaces that vanish with this script

# The guests, and beside them two namespaces with nothing but the kernel between them.

yardstick() {
  local yard
  ip link add yard type bridge
  ip link set yard up
  for yard in 1 2; do
    ip netns add "domain-yard$yard"
    ip link add "yard$yard" master yard up type veth peer name eth0 netns "domain-yard$yard"
    lab_put "yard$yard" eth0 "10.9.9.$yard" "fd09::$yard"
  done
}

# Frames dropped so far: by the daemon, for any reason, and by every network device.
drops() {
  local log=$lab/ringbackd.log seen space netfront
  seen=$(wc -l <"$log")
  kill -USR1 "${lab_pid[ringbackd]}"
  lab_wait 5 has_statistics "$((seen + 1))"
  for netfront in "${!lab_pid[@]}"; do
    [[ $netfront == netfront-* ]] || continue
    : >"$lab/$netfront.log"
    kill -USR1 "${lab_pid[$netfront]}"
    lab_wait 5 grep -q '^{' "$lab/$netfront.log"
  done
  {
    tail -n "+$((seen + 1))" "$log" | sed -n 's/.*: vif[0-9.]*: statistics //p' | jq '.tx.drops, .rx.drops | add // 0'
    jq '.tx.drops, .rx.drops | add // 0' < <(grep -h '^{' "$lab"/netfront-*.log)
    for space in 0 1 2 yard1 yard2; do
      lab_in "$space" ip -json -statistics link | jq '.[].stats64 | .rx.dropped + .tx.dropped'
    done
  } | jq --slurp add
}
has_statistics() { (($(tail -n "+$1" "$lab/ringbackd.log" | grep -c ': vif[0-9.]*: statistics {') >= 3)); }

# Frames with a wrong checksum that the domain's kernel was given so far.
checksum_errors() { lab_in "$1" nstat -asz | awk '/CsumErrors/ { sum += $2 } END { print sum + 0 }'; }

listens() { lab_in "$1" ss -Hltn 'sport = :5201' | grep -q .; }

# stream NAME FROM TO ADDRESS: TCP from one to the other; a line of the table, and the rate in Mbit/s in $rate
stream() {
  local name=$1 from=$2 to=$3 address=$4 dropped wrong retransmits server
  dropped=$(drops) wrong=$(checksum_errors "$to")
  lab_in "$to" iperf3 --server --one-off >"$lab/server.log" 2>&1 &
  server=$!
  lab_wait 5 listens "$to"
  lab_in "$from" iperf3 --client "$address" --time "$seconds" --json >"$lab/iperf3.log"
  wait "$server"
  rate=$(jq '.end.sum_received.bits_per_second / 1e6 | floor' "$lab/iperf3.log")
  retransmits=$(jq '.end.sum_sent.retransmits' "$lab/iperf3.log")
  dropped=$(($(drops) - dropped)) wrong=$(($(checksum_errors "$to") - wrong))
  printf '  %-40s %8.2f %8d %12d %14d\n' "$name" "$((rate))e-3" "$dropped" "$retransmits" "$wrong"
  wrong_checksums=$((wrong_checksums + wrong))
  ((rate > 0)) || { echo "nothing arrived" >&2; exit 1; }
}

round_trip() {
  printf '  %-40s' "$1"
  lab_in "$2" ping -q -c 5 -i 0.2 -W 2 "$3" | awk -F '[ /]+' '/received/ { received = $4 } /^rtt/ { rtt = $8 }
    END { print "  " received " of 5 answered, " rtt " ms on average"; exit received != 5 }'
}

echo "Starting the embedded hypervisor, ringbackd and two guests"
lab_start "$ringback/build/release/bin"
yardstick
for guest in 1 2; do
  lab_guest "$guest"
  lab_vif "$guest" 0 --switch demo -- "${netfront_options[@]}"
done
lab_vif 1 1 -- "${netfront_options[@]}"

echo
echo "Pings"
round_trip "guest 1 to guest 2, over the switch" 1 10.0.0.2
round_trip "guest 1 to the host, over the tap" 1 10.2.1.1

echo
printf '%-42s %8s %8s %12s %14s\n' "TCP, $seconds s each${netfront_options:+, no offload}" Gbit/s drops retransmits "bad checksums"
wrong_checksums=0
stream "yardstick: veth, Linux bridge, veth" yard1 yard2 10.9.9.2
yardstick=$rate
lowest=$((1 << 40))
for way in "guest 1 to guest 2, over the switch:1:2:10.0.0.2" "guest 2 to guest 1, over the switch:2:1:10.0.0.1" \
  "guest 1 to the host, over the tap:1:0:10.2.1.1" "the host to guest 1, over the tap:0:1:10.2.1.2"; do
  IFS=: read -r name from to address <<<"$way"
  stream "$name" "$from" "$to" "$address"
  ((rate >= lowest)) || lowest=$rate slowest=$name
done
stream "yardstick again, the other way" yard2 yard1 10.9.9.1
yardstick=$(((yardstick + rate) / 2))

echo
share=$((100 * lowest / yardstick))
if ((${#netfront_options[@]})); then
  echo "Without offload the slowest, ${slowest%%,*}, has $share % of the yardstick (which has offload)."
elif ((share >= 50)); then
  echo "The goal is half of the yardstick. Met: the slowest, ${slowest%%,*}, has $share %."
else
  echo "The goal is half of the yardstick. MISSED: the slowest, ${slowest%%,*}, has $share %. (Was the machine idle?)"
fi

lab_stop
((wrong_checksums == 0)) || { echo "$wrong_checksums frames arrived with a wrong checksum" >&2; exit 1; }
