#!/bin/bash
# bad_input.sh BIN CASE: what can't be is refused with a message that says why, and disturbs nothing else: two guests ping
# each other all the while, and lose nothing.
# shellcheck disable=SC2317 # lab_wait calls what seems to be called by nobody
set -euo pipefail
here=$(dirname "$0")
. "$here/../../examples/lab.sh"
. "$here/traffic.sh"
backend=/local/domain/0/backend/vif

# refused WORDS DOMID COMMAND...: as that domain it fails by itself, at once, and says these words
refused() {
  local words=$1 domain=$2 status=0
  shift 2
  lab_in "$domain" timeout 20 ringback-hypervisor exec "$domain" -- "$@" >"$lab/refusal" 2>&1 || status=$?
  ((status > 0 && status < 124)) || fail "exit status $status: $* $(cat "$lab/refusal")"
  grep -qi -e "$words" "$lab/refusal" || fail "$* does not say '$words': $(cat "$lab/refusal")"
  echo "$status $(tail -n 1 "$lab/refusal")"
}

# vif_says WORDS DOMID: its error node and the log do
vif_says() {
  error_node() { lab_as 0 xenstore-read "$backend/$1/0/error" 2>/dev/null | grep "$2"; }
  lab_wait 10 error_node "$2" "$1"
  grep -q "vif$2.0: .*$1" "$lab/ringbackd.log" || fail "the log does not say '$1'"
}

# make_vif DOMID [KEY VALUE]...: what a toolstack writes, with keys of its own on the backend's side
make_vif() {
  local domain=$1 back=$backend/$1/0 front=/local/domain/$1/device/vif/0 keys=()
  shift
  while (($#)); do
    keys+=("$back/$1" "$2")
    shift 2
  done
  lab_as 0 xenstore-write "$front/backend" "$back" "$front/backend-id" 0 "$front/handle" 0 \
    "$front/mac" "00:16:3e:00:00:0$domain" "$front/state" 1
  lab_as 0 xenstore-chmod -r "$front" "n$domain"
  lab_as 0 xenstore-write -- "$back/frontend" "$front" "$back/frontend-id" "$domain" "$back/handle" 0 "$back/online" 1 \
    "$back/mac" "00:16:3e:00:00:0$domain" "$back/hotplug-status" connected "${keys[@]}" "$back/state" 1
  lab_as 0 xenstore-chmod -r "$back" n0 "r$domain"
}
remove_vif() {
  lab_as 0 xenstore-rm "/local/domain/$1/device/vif/0"
  lab_as 0 xenstore-rm "$backend/$1/0"
}

unknown_words() {
  local program
  for program in ringbackd ringback ringback-netfront ringback-hypervisor; do
    refused frobnicate 0 "$program" --frobnicate
  done
  refused frobnicate 0 ringback frobnicate
  refused frobnicate 0 ringback vif frobnicate
  refused frobnicate 0 ringback-hypervisor frobnicate
  refused "which command" 0 ringback
  refused "which command" 0 ringback-hypervisor
  refused frobnicate 0 ringbackd frobnicate
}

# The stopped one's socket is still there; and where there never was one.
no_hypervisor() {
  local store
  for store in "$lab/refuses" "$lab/nothing"; do
    for program in ringbackd "ringback vif list" "ringback vif attach 3" "ringback-netfront --tap eth9"; do
      # shellcheck disable=SC2086 # a command and its words
      refused "ringback-hypervisor\|xenstore" 0 env XENSTORED_PATH="$store" $program
    done
  done
  # And where nothing says that there is any hypervisor, or names one that is gone.
  local bare=(env -u XENSTORED_PATH -u LD_LIBRARY_PATH -u RINGBACK_HYPERVISOR)
  for program in ringbackd "ringback vif list" "ringback-netfront --tap eth9"; do
    # shellcheck disable=SC2086
    refused "no xenstore.*ringback-hypervisor" 0 "${bare[@]}" $program
  done
  refused "hypervisor" 3 env RINGBACK_HYPERVISOR="$lab/nothing" ringbackd
  refused "ringback-hypervisor serve" 0 ringback-hypervisor list --directory "$lab/nothing"
  refused "ringback-hypervisor serve" 0 ringback-hypervisor exec --directory "$lab/nothing" 1 -- true
}

second_daemon() {
  refused "another ringbackd serves" 0 ringbackd
  lab_wait 5 reaches 1 10.0.0.2
}

command_line() {
  local attach=(0 ringback vif attach 3)
  refused mac "${attach[@]}" --mac 00:16:3e:00:00
  refused mac "${attach[@]}" --mac 01:16:3e:00:00:01
  refused rate "${attach[@]}" --rate fast
  refused rate "${attach[@]}" --rate 0
  refused mtu "${attach[@]}" --mtu 67
  refused mtu "${attach[@]}" --mtu 65536
  refused queues "${attach[@]}" --max-queues 0
  refused queues "${attach[@]}" --max-queues 65
  refused domid 0 ringback vif attach 40000
  refused domid 0 ringback vif attach one
  refused "no vif" 0 ringback vif detach 3 0
  refused workers 0 ringbackd --workers 0
  refused queues 3 ringback-netfront --queues 65
  refused mtu 3 ringback-netfront --mtu 67
  refused mac 3 ringback-netfront --mac nonsense
  refused domid 0 ringback-hypervisor exec 32752 -- true
  ! lab_as 0 xenstore-exists "$backend/3" || fail "a refused vif is in the store"
}

existing_vif() {
  refused "exists\|already" 0 ringback vif attach 1 --devid 0 --switch lab
  lab_connected 1 0
}

closed_by_another() {
  lab_vif 3 0 --switch lab
  lab_as 0 xenstore-write "$backend/3/0/state" 6
  vif_says 'somebody else has closed it' 3
}

foreign_tap() {
  local kept
  lab_in 0 ip tuntap add vif3.0 mode tap multi_queue
  lab_in 0 ip link set vif3.0 alias "somebody's"
  kept=$(lab_in 0 ip link show vif3.0)
  make_vif 3
  vif_says 'vif3.0 .*another program has a device of this name' 3
  remove_vif 3
  [[ $(lab_in 0 ip link show vif3.0) == "$kept" ]] || fail "the other program's tap is not what it was"
}

long_tap_name() {
  lab_as 0 ringback vif attach 3 --switch lab
  refused "15 characters" 3 ringback-netfront --tap a-name-that-is-too-long
}

# refused_keys WORDS KEY VALUE
refused_keys() {
  make_vif 3 "${@:2}"
  vif_says "$1" 3
  remove_vif 3
}
store_values() {
  refused_keys "mac = .00:16:3e" mac 00:16:3e
  refused_keys "mac = .03:" mac 03:16:3e:00:00:01
  refused_keys "rate = " rate fast
  refused_keys "rate (bytes)" rate 0,50000
  refused_keys "mtu = " mtu 67
  refused_keys "mtu = " mtu 65536
  refused_keys "mtu = " mtu -1
  refused_keys "max-queues = " ringback/max-queues 65
  refused_keys "ringback/port = " ringback/port hole
  refused_keys "vifname = " vifname a-name-that-is-too-long
}

# A guest that is no netfront: it writes what it likes.
connects_with() { # WORDS KEY VALUE...
  local front=/local/domain/3/device/vif/0 keys=() words=$1
  shift
  while (($#)); do
    keys+=("$front/$1" "$2")
    shift 2
  done
  make_vif 3 ringback/port switch ringback/switch lab
  waits() { [[ $(lab_as 0 xenstore-read "$backend/3/0/state") == 2 ]]; }
  lab_wait 10 waits
  lab_as 3 xenstore-write -- "${keys[@]}" "$front/state" 4
  vif_says "$words" 3
  closed() { [[ $(lab_as 0 xenstore-read "$backend/3/0/state") == 6 ]]; }
  lab_wait 10 closed
}
ungranted_ring() {
  connects_with "ring" tx-ring-ref 5000 rx-ring-ref 5001 event-channel 77 request-rx-copy 1
  lab_netfront 3 0 # and may start over, with rings that are
  lab_wait 10 reaches 1 10.0.0.3
}
frontend_values() {
  connects_with "multi-queue-num-queues = " multi-queue-num-queues 5
  remove_vif 3
  connects_with "multi-queue-num-queues = " multi-queue-num-queues 0
  remove_vif 3
  connects_with "tx-ring-ref = " tx-ring-ref -8 rx-ring-ref 9 event-channel 7
  remove_vif 3
  connects_with "tx-ring-ref is missing" request-rx-copy 1
  remove_vif 3
  connects_with "request-rx-copy = " tx-ring-ref 8 rx-ring-ref 9 event-channel 7 request-rx-copy 0
}

# The daemon is started anew without the right to make a device.
no_tap_rights() {
  lab_end ringbackd
  lab_spawn ringbackd 0 setpriv --bounding-set -net_admin --inh-caps -net_admin ringbackd
  lab_wait 10 grep -q serving "$lab/ringbackd.log"
  lab_wait 10 reaches 1 10.0.0.2
  start_pings 10.0.0.2
  make_vif 3
  refused "cannot make the tap eth9 (it takes root, or CAP_NET_ADMIN" 3 \
    setpriv --bounding-set -net_admin --inh-caps -net_admin ringback-netfront --tap eth9
  vif_says "cannot make the tap vif3.0 (it takes root, or CAP_NET_ADMIN" 3
}

lab_start "$1"
for guest in 1 2 3; do lab_guest "$guest"; done
lab_vif 1 0 --switch lab
lab_vif 2 0 --switch lab
socat UNIX-LISTEN:"$lab/refuses",unlink-close=0 OPEN:/dev/null </dev/null &
lab_wait 5 test -S "$lab/refuses"
kill $!
wait $! || true

[[ $2 == no_tap_rights ]] || start_pings 10.0.0.2
"$2"
end_pings
lab_stop
