#!/bin/bash
# reconnect.sh BIN daemon|vif|netfront: what is stopped and started again connects again, and has traffic.
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"

lab_start "$1"
lab_guest 1
lab_guest 2
lab_vif 1 0 --switch lab
macs=(00:16:3e:00:02:00 00:16:3e:00:02:01)
lab_vif 2 0 --switch lab --mac "${macs[0]}"
lab_vif 2 1 --mac "${macs[1]}" -- --queues 2
random_file 16

# The tap stays what it was, with its addresses, so that a bridge or the host's routes don't notice. What is written for
# the next offer is none of a connected guest's affair, which has two queues.
restart_daemon() {
  local before
  lab_as 0 xenstore-write /local/domain/0/backend/vif/2/1/ringback/max-queues 1
  before=$(lab_in 0 ip -json link show vif2.1 | jq '.[].ifindex')
  lab_end ringbackd
  lab_daemon
  lab_wait 20 lab_connected 1 0
  lab_wait 20 lab_connected 2 0
  lab_wait 20 lab_connected 2 1
  [[ $(lab_in 0 ip -json link show vif2.1 | jq '.[].ifindex') == "$before" ]] || fail "vif2.1 is another device than before"
}
restart_vif() { # the same netfront serves it again; with the same address, for the other guest remembers that
  local device
  for device in 0 1; do lab_as 0 ringback vif detach 2 "$device"; done
  lab_as 0 ringback vif attach 2 --devid 0 --switch lab --mac "${macs[0]}"
  lab_as 0 ringback vif attach 2 --devid 1 --mac "${macs[1]}"
  for device in 0 1; do
    lab_wait 20 lab_connected 2 "$device"
    lab_address 2 "$device"
  done
}
queues=4
restart_netfront() { # other keys of the toolstack's, too, leave the tap what it was
  local before
  before=$(lab_in 0 ip -json link show vif2.1 | jq '.[].ifindex')
  lab_end netfront-2.0
  lab_end netfront-2.1
  lab_as 0 xenstore-write /local/domain/0/backend/vif/2/1/ringback/max-queues $((--queues))
  lab_netfront 2 0
  lab_netfront 2 1
  [[ $(lab_in 0 ip -json link show vif2.1 | jq '.[].ifindex') == "$before" ]] || fail "vif2.1 is another device than before"
}

for _ in 1 2 3; do
  "restart_$2"
  lab_wait 10 reaches 1 10.0.0.2
  lab_wait 10 reaches 2 10.2.2.1
  send_file 1 2 10.0.0.2
  send_file 2 1 10.0.0.1
  send_file 2 0 10.2.2.1
done
no_checksum_errors 0 1 2
lab_stop
