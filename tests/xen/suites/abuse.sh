# shellcheck shell=bash
# What operators, accidents and crashes do to the toolstack's work: no hang, no leak, the next create works. guests=pv1 timeout=600
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
daemon
before=$(held)
bridge_up xenbr0 10.0.0.1/24
xl destroy g1
create() { vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest "$@"; }
# Ends the guest whatever state it is in, and looks that nothing is left.
clean() {
  local after=$1
  xl domid g1 >/dev/null 2>&1 && xl destroy g1
  until_true 15 holds "$before" || { echo "after: $after"; return 1; }
}
# What follows creates its own guest, or says that it can't.
next_works() { create g1 10.0.0.2 && reaches 10.0.0.2 60 && xl destroy g1 && until_true 10 holds "$before"; }

killed_in_create() {
  (sleep 1; kill -KILL "$daemon_pid") &
  create g1 10.0.0.2
  wait $!
  wait "$daemon_pid"
  daemon
  clean "the daemon killed in xl create"
}
claim "the daemon killed in the middle of xl create" killed_in_create
claim "the next create works" next_works

interrupted_create() { # SECONDS
  create g1 10.0.0.2 &
  local create=$!
  sleep "$1"
  # shellcheck disable=SC2046 # several
  kill -INT $(pids_of xl)
  ! wait $create || { echo "that was too late"; return 1; }
  clean "xl create interrupted"
}
for seconds in 0.3 0.6 0.9; do claim "xl create interrupted after $seconds s" interrupted_create $seconds; done
claim "the next create works" next_works

destroyed_in_transfer() {
  create g1 10.0.0.2 && reaches 10.0.0.2 60 || return 1
  iperf3 -c 10.0.0.2 -t 5 >/dev/null 2>&1 &
  in_guest 10.0.0.2 'iperf3 -c 10.0.0.1 -t 5 >/dev/null 2>&1 &'
  sleep 1
  xl destroy g1 && clean "destroyed in a transfer"
}
iperf3 -s -D
for ((i = 1; i <= 3; ++i)); do claim "a guest destroyed in the middle of a transfer ($i of 3)" destroyed_in_transfer; done

backend_directory_removed() {
  create g1 10.0.0.2 && reaches 10.0.0.2 60 || return 1
  xenstore-rm "/local/domain/0/backend/vif/$(xl domid g1)/0"
  sleep 1
  clean "the backend's directory removed by hand"
}
claim "a backend directory removed by hand" backend_directory_removed

killed_in_detach() {
  create g1 10.0.0.2 && reaches 10.0.0.2 60 || return 1
  kill -KILL "$daemon_pid"
  wait "$daemon_pid"
  local start=$SECONDS
  (sleep 2; daemon; echo "$daemon_pid" >/tmp/pid) &
  timeout 40 xl network-detach g1 0
  wait $!
  daemon_pid=$(cat /tmp/pid)
  ((SECONDS - start < 40)) || return 1
  clean "the daemon killed before a detach"
}
claim "the daemon dead when xl network-detach comes, and back two seconds later" killed_in_detach

device_deleted() { # the tap, under a running vif
  create g1 10.0.0.2 && reaches 10.0.0.2 60 || return 1
  ip link delete "vif$(xl domid g1).0"
  sleep 1
  clean "its device deleted by hand"
}
claim "the vif's network device deleted by hand" device_deleted
claim "the next create works" next_works
grep -v ' info: ' /out/ringbackd.log
verdicts
