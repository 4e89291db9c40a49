#!/bin/bash
# switch_policy.sh BIN: what a vif may do on the switch is written in its keys, and changed while its frames flow.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

key() { echo "/local/domain/0/backend/vif/$1/0/$2"; } # GUEST KEY
put() { lab_as 0 xenstore-write "$(key "$1" "$2")" "$3"; }
clear() { lab_as 0 xenstore-rm "$(key "$1" "$2")"; }

lab_start "$1" --workers 2
for guest in 1 2 3; do
  lab_guest $guest
  lab_vif $guest 0 --switch lab
done
lab_put 0 up-lab 10.0.0.9 fd00::9
random_file 32
for guest in 1 2 3; do lab_wait 10 reaches 0 10.0.0.$guest; done

# Two guests move into a VLAN while one sends to the other.
send_file 1 2 10.0.0.2 &
sender=$!
put 1 vlan 10p
put 2 vlan 10p
wait $sender || fail "the stream did not outlive the change"
put 3 vlan 20p
lab_wait 10 reaches 1 10.0.0.2
unreached 1 10.0.0.3 || fail "VLAN 20 is reached from VLAN 10"
unreached 0 10.0.0.1 || fail "VLAN 10 is reached from the host without a tag" # with one: tests/xen

# What can't be understood changes nothing.
put 1 vlan 10q
lab_wait 5 grep -q 'vif1.0: vlan = "10q"' "$lab/ringbackd.log"
lab_as 0 xenstore-read "$(key 1 error)" | grep -q 'vlan = "10q"' || fail "its error node does not say so"
lab_wait 5 reaches 1 10.0.0.2
for guest in 1 2 3; do clear $guest vlan; done
lab_wait 10 reaches 1 10.0.0.2

# The daemon that comes next finds the keys.
put 3 ringback/mirror 'vif1.0 vif2.0'
lab_kill ringbackd
lab_daemon
lab_wait 10 reaches 1 10.0.0.2
received() { lab_in 3 ip -json -s link show eth0 | jq '.[].stats64.rx.packets'; }
before=$(received)
lab_in 1 ping -q -c 50 -i 0.01 10.0.0.2 >/dev/null
(($(received) - before >= 100)) || fail "the mirror got $(($(received) - before)) of 100 frames"
unreached 3 10.0.0.1 || fail "a mirror sends"
no_checksum_errors 0 1 2 3
lab_stop
