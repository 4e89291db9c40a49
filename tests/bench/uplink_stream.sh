#!/bin/bash
# uplink_stream.sh BIN...: one TCP stream from a network (the other end of a veth) by a switch's AF_XDP uplink to a guest: Gbit/s, and how large the frames are
# that the guest gets. The programs of each folder in turn, $ROUNDS (3) times; all in network namespaces of its own.
set -euo pipefail
bench=$(dirname "$(realpath "$0")")
if [[ ${1-} != --once ]]; then # BIN: what each measurement is, in namespaces of its own
  (($#)) || {
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
  }
  for ((round = 1; round <= ${ROUNDS:-3}; ++round)); do
    for bin; do timeout -k 5 60 "$0" --once "$(realpath "$bin")"; done
  done
  exit
fi
. "$bench/../../examples/lab.sh"
. "$bench/../namespaces/traffic.sh"

bin=$2
lab_start "$bin" --workers 1 >&2
lab_guest 1
lab_guest 9
lab_in 0 ip link add nic0 type veth peer name eth0 address 02:00:00:00:00:09 netns domain-9
lab_in 0 ip link set nic0 up
lab_put 9 eth0 10.0.0.9 fd00::9
lab_in 9 ethtool -K eth0 tx off txvlan off >/dev/null # no device is behind it to sum up
lab_vif 1 0 --switch lab
lab_as 0 xenstore-write /local/domain/0/ringback/switch/lab/uplink/device nic0
lab_wait 10 grep -q 'takes nic0 by AF_XDP' "$lab/ringbackd.log"
lab_wait 10 reaches 9 10.0.0.1
listens() { lab_in 1 ss -Hltn 'sport = :5201' | grep -q .; }
lab_spawn iperf3 1 iperf3 --server --one-off
lab_wait 5 listens
had=$(lab_in 1 ip -json -s link show eth0)
gbits=$(lab_in 9 iperf3 --client 10.0.0.1 --time 3 --json | jq '.end.sum_received.bits_per_second / 1e9')
lab_in 1 ip -json -s link show eth0 | jq -r --argjson had "$had" --argjson gbits "$gbits" --arg bin "$bin" '
  def more($what): .[0].stats64.rx[$what] - $had[0].stats64.rx[$what];
  "\($gbits * 100 | round / 100) Gbit/s, in frames of \(more("bytes") / more("packets") | round) bytes: \($bin)"'
lab_stop >&2
