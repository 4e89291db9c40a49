#!/bin/bash
# switch_keys.sh BIN SWITCH_CLOCK: every key of a switch and its ports is changed while it works, does what it says, and is
# taken back, and a stream between two guests whom it does not concern goes on through all of it.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

vif() { echo "/local/domain/0/backend/vif/$1/0"; }
switch=/local/domain/0/ringback/switch/lab
put() { lab_as 0 xenstore-write "$1" "$2"; }
clear() { lab_as 0 xenstore-rm "$1"; }

# What is known of multicast groups changes in minutes: the switch's clock can be put on (switch_clock.c).
ahead=0
put_clock_on() { printf %08d $((ahead += $1)) 1<>"$lab/clock"; } # SECONDS
put_clock_on 0
lab_hypervisor "$1"
# A sanitizer wants to be loaded first, but what is preloaded allocates nothing.
lab_spawn ringbackd 0 env SWITCH_CLOCK="$lab/clock" LD_PRELOAD="$2" ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" \
  ringbackd --workers 2
lab_wait 10 grep -qs serving "$lab/ringbackd.log"
for guest in {1..5}; do
  lab_guest "$guest"
  lab_vif "$guest" 0 --switch lab
done
for guest in 1 2; do lab_in $guest ip route add 224.0.0.0/4 dev eth0; done
lab_put 0 up-lab 10.0.0.9 fd00::9
lab_in 0 ip route add 224.0.0.0/4 dev up-lab
for guest in {1..5}; do lab_wait 10 reaches 0 "10.0.0.$guest"; done

# Slow enough to leave the others their part of the CPUs.
listens() { lab_in 5 ss -Hltn 'sport = :5201' | grep -q .; }
lab_spawn stream-to 5 iperf3 --server --one-off --interval 1 --json
lab_wait 5 listens
lab_spawn stream-from 4 iperf3 --client 10.0.0.5 --bitrate 200M --time 600
end_stream() {
  kill -INT "${lab_pid[stream-from]}"
  wait "${lab_pid[stream-to]}" "${lab_pid[stream-from]}" || true
  jq -r '[.intervals[].sum | select(.seconds > 0.8) | .bytes] as $all # the last one is what was left
    | "a stream of \($all | length) s, at least \($all | min) bytes in each; \(.error)"
    | ($all | sort | .[length / 2 | floor] / 10) as $least
    | if ($all | length >= 10 and all(. > $least)) and endswith("; the client has terminated") then . else error end' \
    "$lab/stream-to.log" || fail "the stream did not go on all the while"
}

# send COUNT ADDRESS [DOMID]: so many UDP frames, from guest 1 unless another is named
send() { lab_in "${3:-1}" bash -c 'for ((i = 0; i < $1; ++i)); do echo >"/dev/udp/$2/9999"; done' send "$1" "$2"; }
# seen DOMID COMMAND...: how many such frames, or others that $frames describes, came to that guest, or by the uplink to the
# host, meanwhile, whoever they were for
seen() {
  local device=eth0
  [[ $1 != 0 ]] || device=up-lab
  lab_spawn watch "$1" tcpdump -Z root --immediate-mode -B 4096 -w /dev/null -i "$device" -Q in "${frames:-udp port 9999}"
  lab_wait 10 grep -qs 'listening on' "$lab/watch.log"
  "${@:2}"
  sleep 0.3
  lab_end watch || true
  awk '/packets? captured/ { print $1 }' "$lab/watch.log"
}
at_most() { (($(seen "${@:2}") <= $1)); }
at_least() { (($(seen "${@:2}") >= $1)); }

put "$(vif 3)/vlan" 20p
lab_wait 5 unreached 3 10.0.0.1
clear "$(vif 3)/vlan"
lab_wait 5 reaches 3 10.0.0.1
put $switch/uplink/vlan 20p
lab_wait 5 unreached 0 10.0.0.1
clear $switch/uplink/vlan
lab_wait 5 reaches 0 10.0.0.1
# What comes from an access port goes to a trunk that has its VLAN with a tag, and untagged to whom nothing is said of.
put "$(vif 1)/vlan" 120p
put "$(vif 2)/vlan" 10p/100+10x4
frames='vlan 120 and udp port 9999' lab_wait 30 at_least 50 2 send 50 239.1.1.1
lab_wait 30 at_least 50 3 send 50 239.1.1.1
put "$(vif 2)/vlan" 10p/100+10x2
frames='udp port 9999 or (vlan and udp port 9999)' lab_wait 30 at_most 0 2 send 50 239.1.1.1
clear "$(vif 1)/vlan"
clear "$(vif 2)/vlan"
lab_wait 5 reaches 1 10.0.0.2

# Isolated ones reach all but each other, and the host is one of them if its uplink is.
put "$(vif 1)/ringback/isolated" 1
put "$(vif 2)/ringback/isolated" 1
lab_wait 5 unreached 1 10.0.0.2
for guest in 1 2; do
  lab_wait 5 reaches 0 10.0.0.$guest
  lab_wait 5 reaches 3 10.0.0.$guest
done
put $switch/uplink/isolated 1
lab_wait 5 unreached 0 10.0.0.1
clear $switch/uplink/isolated
lab_wait 5 reaches 0 10.0.0.1
clear "$(vif 1)/ringback/isolated"
lab_wait 5 reaches 1 10.0.0.2
clear "$(vif 2)/ringback/isolated"

# A mirror sees the stream.
frames='tcp port 5201' at_most 0 3 true || fail "guest 3 got what was for guest 5"
put "$(vif 3)/ringback/mirror" vif5.0
frames='tcp port 5201' lab_wait 5 at_least 100 3 sleep 0.5
clear "$(vif 3)/ringback/mirror"
frames='tcp port 5201' lab_wait 5 at_most 0 3 sleep 0.5
lab_wait 5 reaches 3 10.0.0.1
frames='tcp port 5201' at_most 0 0 true || fail "the host got what was for guest 5"
put $switch/uplink/mirror vif5.0
frames='tcp port 5201' lab_wait 5 at_least 100 0 sleep 0.5
clear $switch/uplink/mirror
frames='tcp port 5201' lab_wait 5 at_most 0 0 sleep 0.5
lab_wait 5 reaches 0 10.0.0.1

# A group that nobody is known to want is for everybody, as fast as the sender may.
lab_wait 30 at_least 200 2 send 200 239.1.1.1
put "$(vif 1)/ringback/storm" 1
lab_wait 30 at_most 100 2 send 200 239.1.1.1
lab_wait 30 at_least 200 3 send 200 239.1.1.1 2 # another guest's
kill -USR1 "${lab_pid[ringbackd]}"
lab_wait 5 grep -q 'vif1.0: statistics .*"storm":[0-9]' "$lab/ringbackd.log"
clear "$(vif 1)/ringback/storm"
lab_wait 30 at_least 200 2 send 200 239.1.1.1
put $switch/uplink/storm 1
lab_wait 30 at_most 100 2 send 200 239.1.1.1 0
clear $switch/uplink/storm
lab_wait 30 at_least 200 2 send 200 239.1.1.1 0

# An address is behind the vif that has it in its key, whatever its owner sends.
address=$(lab_in 2 cat /sys/class/net/eth0/address)
lab_in 1 ip neighbour replace 10.0.0.2 lladdr "$address" dev eth0
lab_spawn listener 2 socat -u UDP-RECV:9999 /dev/null # an ICMP message would tell where it is
lab_wait 30 at_least 50 2 send 50 10.0.0.2
put "$(vif 3)/ringback/macs" "$address"
lab_wait 30 at_least 50 3 send 50 10.0.0.2
at_most 0 2 send 50 10.0.0.2 || fail "its owner got what was for guest 3"
clear "$(vif 3)/ringback/macs"
put $switch/uplink/macs "$address"
lab_wait 30 at_least 50 0 send 50 10.0.0.2
at_most 0 2 send 50 10.0.0.2 || fail "its owner got what was for the host"
clear $switch/uplink/macs
lab_wait 10 reaches 2 10.0.0.9
lab_wait 30 at_least 50 2 send 50 10.0.0.2

# What is known of a silent guest is forgotten, and frames for it are flooded.
at_most 0 3 send 50 10.0.0.2 || fail "guest 3 got what was for guest 2"
put $switch/ageing 1
lab_wait 30 at_least 50 3 send 50 10.0.0.2
put $switch/ageing 300
lab_wait 10 reaches 2 10.0.0.9
lab_wait 30 at_most 0 3 send 50 10.0.0.2

# igmp DOMID ADDRESS MESSAGE: with the option that it has to have
igmp() { printf "$3" | lab_in "$1" socat -u - "IP4-SENDTO:$2:2,ipoptions=x94040000"; }
query() { igmp 1 224.0.0.1 '\x11\x64\xee\x9b\0\0\0\0'; }
report() { igmp 2 239.1.1.1 '\x16\0\xf9\xfc\xef\x01\x01\x01'; }
# Everybody has been asked, and had the time to answer.
settle() {
  for _ in 1 2 3; do
    put_clock_on 100
    query
  done
  put_clock_on 20
}
joined() { # guest 2, and the switch has heard it
  report
  at_least 20 2 send 20 239.1.1.1
}

# Nobody is asked by a guest that was given no router: reports and groups are for all.
settle
frames='igmp[0] = 0x16' lab_wait 5 at_least 1 3 report
lab_wait 5 at_least 20 3 send 20 239.1.1.1
put "$(vif 1)/ringback/router" 1
frames='igmp[0] = 0x16' lab_wait 5 at_most 0 3 eval 'query; report'
frames='igmp[0] = 0x16' lab_wait 5 at_least 1 1 report
settle
lab_wait 5 joined
at_most 0 3 send 20 239.1.1.1 || fail "guest 3 got a group's frames that it did not ask for"
put $switch/snooping 0
lab_wait 5 at_least 20 3 send 20 239.1.1.1
frames='igmp[0] = 0x16' lab_wait 5 at_least 1 3 report
clear $switch/snooping
frames='igmp[0] = 0x16' lab_wait 5 at_most 0 3 report
lab_wait 5 at_least 20 3 send 20 239.1.1.1
settle
lab_wait 5 joined
at_most 0 3 send 20 239.1.1.1 || fail "guest 3 got a group's frames that it did not ask for"
clear "$(vif 1)/ringback/router"
lab_wait 5 eval 'settle; report; at_least 20 3 send 20 239.1.1.1'

# What can't be understood changes nothing.
put "$(vif 1)/ringback/storm" many
put $switch/ageing soon
lab_wait 5 grep -q 'vif1.0: ringback/storm = "many"' "$lab/ringbackd.log"
lab_wait 5 grep -q 'ageing = "soon"' "$lab/ringbackd.log"
lab_wait 30 at_least 200 2 send 200 239.1.1.1
lab_wait 10 reaches 2 10.0.0.9
at_most 0 3 send 50 10.0.0.2 || fail "guest 2 was forgotten"

end_stream
no_checksum_errors 0 {1..5}
lab_stop
