# shellcheck shell=bash
# What arrives is what was sent: TCP, UDP of many lengths, ping floods, queues, MTUs, offloads. guests=none random=16 timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
claim "the daemon starts" daemon
bridge_up xenbr0 10.0.0.1/24
ip link set xenbr0 mtu 9000
ramdisk=$(ramdisk_with udp_sweep random) memory=384 vcpus=2 words=queues=2 vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2
claim "a guest with 2 vCPUs is reached" reaches 10.0.0.2 60
domid=$(xl domid g1)
two_queues() { [[ $(xenstore-read "/local/domain/$domid/device/vif/0/multi-queue-num-queues") == 2 ]]; }
claim "it has 2 queues" two_queues
# Of the file that both have: all of it sixteen times, and some.
declare -A bytes=([all]="cat $(printf '/payload/random %.0s' {1..16})" [some]='head -c 3145728 /payload/random')
declare -A sum=([all]="$(</payload/random.sum)" [some]="$(${bytes[some]} | sha256sum)")

# to_guest WHAT TCP ADDRESS, from_guest likewise: all or some; ADDRESS is the receiver's
to_guest() {
  in_guest 10.0.0.2 "socat -u -b 262144 TCP$2-LISTEN:7000,reuseaddr - | sha256sum >/received" &
  local receiver=$!
  ${bytes[$1]} | socat -u -b 262144 - "TCP$2:$3:7000,retry=50,interval=0.1"
  wait $receiver
  [[ $(in_guest 10.0.0.2 'cat /received') == "${sum[$1]}" ]]
}
from_guest() {
  socat -u -b 262144 "TCP$2-LISTEN:7001,reuseaddr" - | sha256sum >/tmp/received &
  local receiver=$!
  in_guest 10.0.0.2 "${bytes[$1]} | socat -u -b 262144 - 'TCP$2:$3:7001,retry=50,interval=0.1'"
  wait $receiver
  [[ $(cat /tmp/received) == "${sum[$1]}" ]]
}
claim "256 MiB to the guest arrive with their SHA-256" to_guest all 4 10.0.0.2
claim "256 MiB from the guest arrive with their SHA-256" from_guest all 4 10.0.0.1
# Each queue has channels of its own; the guest says how many interrupts each had. Connecting alone makes some.
interrupts() {
  in_guest 10.0.0.2 'cat /proc/interrupts' | awk '/q[01]-[rt]x/ { for (i = 2; i < NF - 2; ++i) sum[$NF] += $i } END { for (name in sum) print name, sum[name] }' | sort
}
sixteen_streams() { iperf3 -f m -P 16 -c 10.0.0.2 -t 2 "$@" | received; }
both_queues() {
  interrupts >/tmp/before && sixteen_streams && sixteen_streams -R && interrupts >/tmp/after || return 1
  paste /tmp/before /tmp/after | awk '{ print $1, "had", $4 - $2; busy += $1 == $3 && $4 - $2 >= 100 } END { exit busy != 4 }'
}
claim "both queues carry frames, both ways" both_queues

udp_sweep answer 10.0.0.1 7003 &
answering=$!
sweep() { in_guest 10.0.0.2 'LD_LIBRARY_PATH=/payload/lib /payload/bin/udp_sweep sweep 10.0.0.1 7003 4500 97'; }
claim "UDP of every length to 4,500 and every 97th to 65,507 arrives, there and back; one in a hundred may be sent again" sweep
kill $answering
flood() { ping -q -f -l 8 -c 10000 10.0.0.2 | grep '10000 received, 0% packet loss'; }
claim "a ping flood of 10,000, eight at a time, loses nothing" flood

ip address add fd00::1/64 dev xenbr0 nodad
claim "the guest has an IPv6 address too" in_guest 10.0.0.2 'ip address add fd00::2/64 dev eth0 nodad'
at_once() { # both ways
  local to status=0
  to_guest some "$1" "$2" &
  to=$!
  from_guest some "$1" "$3" || status=1
  wait $to && return $status
}
both_ways() { # by IPv4 and IPv6
  at_once 4 10.0.0.2 10.0.0.1 && at_once 6 '[fd00::2]' '[fd00::1]'
}
mtu() { # SIZE
  in_guest 10.0.0.2 "ip link set eth0 mtu $1" && ip link set "vif$domid.0" mtu "$1" &&
    ping -q -c 2 -M "do" -s $(($1 - 28)) 10.0.0.2 | grep ' 0% packet loss' && both_ways
}
for size in 9000 1500; do claim "MTU $size in the guest" mtu $size; done
# What ethtool -K calls it, and what its list calls what has to change. Linux's netfront always leaves IPv4's checksums to others.
for feature in tx:tx-checksum-ipv6 sg:scatter-gather tso:tx-tcp-segmentation tso:tx-tcp6-segmentation \
  gso:generic-segmentation-offload gro:generic-receive-offload; do
  without() {
    in_guest 10.0.0.2 'ethtool -K eth0 tx on sg on tso on gso on gro on' &&
      in_guest 10.0.0.2 "ethtool -k eth0 | grep '${feature#*:}: on' && ethtool -K eth0 ${feature%:*} off && ethtool -k eth0 | grep '${feature#*:}: off'" &&
      both_ways
  }
  claim "TCP both ways by IPv4 and IPv6 without the guest's ${feature#*:}" without
done
claim "and with all again" in_guest 10.0.0.2 'ethtool -K eth0 tx on sg on tso on gso on gro on'
claim "which carries TCP too" both_ways
claim "no checksum was wrong" no_checksum_errors 10.0.0.1 10.0.0.2
verdicts
