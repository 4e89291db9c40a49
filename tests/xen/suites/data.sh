# shellcheck shell=bash
# What arrives is what was sent: TCP, UDP of many lengths, ping floods, queues, MTUs, offloads. guests=none timeout=900
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
daemon
bridge_up xenbr0 10.0.0.1/24
ip link set xenbr0 mtu 9000
ramdisk=$(ramdisk_with udp_sweep) memory=384 vcpus=2 words=queues=2 vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2
claim "a guest with 2 vCPUs is reached" reaches 10.0.0.2 60
domid=$(xl domid g1)
two_queues() { [[ $(xenstore-read "/local/domain/$domid/device/vif/0/multi-queue-num-queues") == 2 ]]; }
claim "it has 2 queues" two_queues
# Files are in memory, here and there: 64 MiB, four times.
all='cat /random /random /random /random'
dd if=/dev/urandom of=/random bs=1M count=64 status=none
sum=$($all | sha256sum)
in_guest 10.0.0.2 "dd if=/dev/urandom of=/random bs=1M count=64 2>/dev/null; $all | sha256sum >/sent"

checksum_errors_in() { in_guest 10.0.0.2 "grep -E '^(Tcp|Udp):' /proc/net/snmp"; grep -E '^(Tcp|Udp):' /proc/net/snmp; }
# The counters come in pairs of lines, names and numbers.
no_checksum_errors() {
  checksum_errors_in | awk '
    $2 ~ /^[A-Za-z]/ { for (i = 2; i <= NF; ++i) name[i] = $i; next }
    { for (i = 2; i <= NF; ++i) if (name[i] == "InCsumErrors") { sum += $i; ++seen } }
    END { print sum + 0, "checksum errors in", seen, "counters"; exit !(sum == 0 && seen == 4) }'
}
to_guest() {
  in_guest 10.0.0.2 'socat -u -b 262144 TCP-LISTEN:7000,reuseaddr - | sha256sum >/received' &
  local receiver=$!
  $all | socat -u -b 262144 - TCP:10.0.0.2:7000,retry=50,interval=0.1
  wait $receiver
  [[ $(in_guest 10.0.0.2 'cat /received') == "$sum" ]]
}
from_guest() {
  socat -u -b 262144 TCP-LISTEN:7001,reuseaddr - | sha256sum >/tmp/received &
  local receiver=$!
  in_guest 10.0.0.2 "$all | socat -u -b 262144 - TCP:10.0.0.1:7001,retry=50,interval=0.1"
  wait $receiver
  [[ $(in_guest 10.0.0.2 'cat /sent') == "$(cat /tmp/received)" ]]
}
claim "256 MiB to the guest arrive with their SHA-256" to_guest
claim "256 MiB from the guest arrive with their SHA-256" from_guest
# Each queue has channels of its own, and netfront says which had interrupts.
both_queues() {
  in_guest 10.0.0.2 'grep -E "eth0|vif0-q" /proc/interrupts' >/tmp/interrupts
  cat /tmp/interrupts
  [[ $(grep -cE 'q[01]-(tx|rx)' /tmp/interrupts) == 4 ]] && ! grep -E '^ *[0-9]+: +0 +0 ' /tmp/interrupts
}
claim "both queues have carried frames" both_queues

udp_sweep answer 10.0.0.1 7003 &
answering=$!
sweep() { in_guest 10.0.0.2 'LD_LIBRARY_PATH=/payload/lib /payload/bin/udp_sweep sweep 10.0.0.1 7003 4500 97'; }
claim "UDP of every length to 4,500 and every 97th to 65,507 arrives, there and back" sweep
kill $answering
flood() { ping -q -f -c 10000 10.0.0.2 | grep ' 0% packet loss'; }
claim "a ping flood of 10,000 loses nothing" flood

mtu() { # SIZE
  in_guest 10.0.0.2 "ip link set eth0 mtu $1" && ip link set "vif$domid.0" mtu "$1" &&
    ping -q -c 2 -M "do" -s $(($1 - 28)) 10.0.0.2 | grep ' 0% packet loss' && iperf3 -f m -c 10.0.0.2 -t 2 | grep receiver &&
    iperf3 -f m -c 10.0.0.2 -t 2 -R | grep receiver
}
for size in 9000 1500; do claim "MTU $size in the guest" mtu $size; done
for feature in tx sg tso gso gro; do
  without() {
    in_guest 10.0.0.2 "ethtool -K eth0 $feature off" && iperf3 -f m -c 10.0.0.2 -t 1 | grep receiver &&
      iperf3 -f m -c 10.0.0.2 -t 1 -R | grep receiver
  }
  claim "TCP both ways without the guest's $feature" without
done
claim "and with all again" in_guest 10.0.0.2 'ethtool -K eth0 tx on sg on tso on gso on gro on'
claim "no checksum was wrong" no_checksum_errors
grep -v ' info: ' /out/ringbackd.log
verdicts
