#!/bin/bash
# switch_keys.sh BIN: the keys by which an operator bounds what a switch floods, changed while it works: storm, macs, ageing.
# (Snooping takes minutes to be sure of what a new port wants: backend/switch/switch_snooping_test.cpp has the time for it.)
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

vif() { echo "/local/domain/0/backend/vif/$1/0"; }
switch=/local/domain/0/ringback/switch/lab
put() { lab_as 0 xenstore-write "$1" "$2"; }
clear() { lab_as 0 xenstore-rm "$1"; }

lab_start "$1" --workers 2
for guest in 1 2 3; do
  lab_guest $guest
  lab_vif $guest 0 --switch lab
done
lab_in 1 ip route add 239.0.0.0/8 dev eth0
lab_in 2 ip route add 239.0.0.0/8 dev eth0
lab_put 0 up-lab 10.0.0.9 fd00::9
for guest in 1 2 3; do lab_wait 10 reaches 0 10.0.0.$guest; done

# send COUNT ADDRESS [DOMID]: so many UDP frames, from guest 1 unless another is named
send() { lab_in "${3:-1}" bash -c 'for ((i = 0; i < $1; ++i)); do echo >"/dev/udp/$2/9999"; done' send "$1" "$2"; }
# seen DOMID COMMAND...: how many such frames came to that guest meanwhile, whoever they were for
seen() {
  lab_spawn watch "$1" tcpdump -Z root --immediate-mode -B 4096 -w /dev/null -i eth0 -Q in udp port 9999
  lab_wait 10 grep -qs 'listening on' "$lab/watch.log"
  "${@:2}"
  sleep 0.3
  lab_end watch || true
  awk '/packets captured/ { print $1 }' "$lab/watch.log"
}
at_most() { (($(seen "${@:2}") <= $1)); }
at_least() { (($(seen "${@:2}") >= $1)); }

# A group that nobody is known to want is for everybody, as fast as the sender may.
lab_wait 30 at_least 200 2 send 200 239.1.1.1
put "$(vif 1)/ringback/storm" 1
lab_wait 30 at_most 100 2 send 200 239.1.1.1
lab_wait 30 at_least 200 3 send 200 239.1.1.1 2 # another guest's
clear "$(vif 1)/ringback/storm"
lab_wait 30 at_least 200 2 send 200 239.1.1.1

# An address is behind the vif that has it in its key, whatever its owner sends.
address=$(lab_in 2 cat /sys/class/net/eth0/address)
lab_in 1 ip neighbour replace 10.0.0.2 lladdr "$address" dev eth0
lab_spawn listener 2 socat -u UDP-RECV:9999 /dev/null # an ICMP message would tell where it is
lab_wait 30 at_least 50 2 send 50 10.0.0.2
put "$(vif 3)/ringback/macs" "$address"
lab_wait 30 at_least 50 3 send 50 10.0.0.2
at_most 0 2 send 50 10.0.0.2 || fail "its owner got what was for guest 3"
clear "$(vif 3)/ringback/macs"
lab_wait 10 reaches 2 10.0.0.9
lab_wait 30 at_least 50 2 send 50 10.0.0.2

# What is known of a silent guest is forgotten, and frames for it are flooded.
at_most 0 3 send 50 10.0.0.2 || fail "guest 3 got what was for guest 2"
put $switch/ageing 1
lab_wait 30 at_least 50 3 send 50 10.0.0.2
put $switch/ageing 300
reaches 2 10.0.0.9 || fail "guest 2 does not reach the host"
lab_wait 30 at_most 0 3 send 50 10.0.0.2

# What can't be understood changes nothing.
put "$(vif 1)/ringback/storm" many
put $switch/ageing soon
lab_wait 5 grep -q 'vif1.0: ringback/storm = "many"' "$lab/ringbackd.log"
lab_wait 5 grep -q 'ageing = "soon"' "$lab/ringbackd.log"
lab_wait 30 at_least 200 2 send 200 239.1.1.1
at_most 0 3 send 50 10.0.0.2 || fail "guest 2 was forgotten"
lab_stop
