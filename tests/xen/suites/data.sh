# shellcheck shell=bash
# What arrives is what was sent: TCP, UDP of many lengths, ping floods, queues, MTUs, offloads. guests=none timeout=900
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
daemon
bridge_up xenbr0 10.0.0.1/24
ip link set xenbr0 mtu 9000
vcpus=2 words=queues=2 vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2
claim "a guest with 2 vCPUs is reached" reaches 10.0.0.2 60
domid=$(xl domid g1)
claim "it has 2 queues" sh -c "[ \"$(xenstore-read "/local/domain/$domid/device/vif/0/multi-queue-num-queues")\" = 2 ]"
# dom0 has its files in memory: 64 MiB, four times.
dd if=/dev/urandom of=/tmp/random bs=1M count=64 status=none
all() { cat /tmp/random /tmp/random /tmp/random /tmp/random; }
sum=$(all | sha256sum)

checksum_errors_in() { in_guest 10.0.0.2 "grep -E '^(Tcp|Udp):' /proc/net/snmp"; grep -E '^(Tcp|Udp):' /proc/net/snmp; }
# The counters come in pairs of lines, names and numbers.
no_checksum_errors() {
  checksum_errors_in | awk '
    $2 ~ /^[A-Za-z]/ { for (i = 2; i <= NF; ++i) name[i] = $i; next }
    { for (i = 2; i <= NF; ++i) if (name[i] == "InCsumErrors") { sum += $i; ++seen } }
    END { print sum + 0, "checksum errors in", seen, "counters"; exit !(sum == 0 && seen == 4) }'
}
to_guest() {
  in_guest 10.0.0.2 'socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum >/tmp/sum' &
  local receiver=$!
  all | socat -u - TCP:10.0.0.2:7000,retry=50,interval=0.1
  wait $receiver
  [[ $(in_guest 10.0.0.2 'cat /tmp/sum') == "$sum" ]]
}
from_guest() {
  local got
  socat -u TCP-LISTEN:7001,reuseaddr - 2>/dev/null | sha256sum >/tmp/sum &
  got=$!
  in_guest 10.0.0.2 "dd if=/dev/urandom bs=1M count=256 2>/dev/null | tee >(sha256sum >/tmp/sent) | socat -u - TCP:10.0.0.1:7001,retry=50,interval=0.1; usleep 300000"
  wait $got
  [[ $(in_guest 10.0.0.2 'cat /tmp/sent') == "$(cat /tmp/sum)" ]]
}
claim "256 MiB to the guest arrive with their SHA-256" to_guest
claim "256 MiB from the guest arrive with their SHA-256" from_guest
both_queues() {
  kill -USR1 "$daemon_pid"
  usleep 300000
  grep statistics /out/ringbackd.log | tail -n 1
}
claim "the daemon has counted them" both_queues

# A program of the suite, in the guest.
socat_file() {
  in_guest 10.0.0.2 'socat -u TCP-LISTEN:7002,reuseaddr CREATE:/udp_sweep; chmod 755 /udp_sweep' &
  socat -u OPEN:/payload/bin/udp_sweep TCP:10.0.0.2:7002,retry=50,interval=0.1
  wait $!
}
claim "the guest has the program of the sweep" socat_file
udp_sweep answer 10.0.0.1 7003 &
answering=$!
sweep() { in_guest 10.0.0.2 '/udp_sweep sweep 10.0.0.1 7003 4500 97'; }
claim "UDP of every length to 4,500 and every 97th to 65,507 arrives, there and back" sweep
kill $answering
claim "a ping flood of 10,000 loses nothing" sh -c "ping -q -f -c 10000 10.0.0.2 | grep ' 0% packet loss'"

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
