# shellcheck shell=bash
# What operators, accidents and crashes do to the toolstack's work: no hang, no leak, the next create works. guests=pv1 timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
# No command of xl may hang: the longest of libxl's own timeouts is 10 s, and a guest's memory is saved in 5.
xl() { timeout 40 xl ${verbose:+-vvv} "$@"; }
claim "the daemon starts" daemon
before=$(held)
bridge_up xenbr0 10.0.0.1/24
xl destroy g1
iperf3 -s -D
up() { vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2 && reaches 10.0.0.2 60; }
# Ends what guests there are, in whatever state and with a name or without, and looks that nothing of them is left.
nothing_left() {
  local domid
  for domid in $(xl list | awk 'NR > 2 { print $(NF - 4) }'); do xl destroy "$domid" || return 1; done
  until_true 10 holds "$before"
}

# What xl does, in a word. A guest's file is there since it was first created.
create() { xl create -q /tmp/g1.cfg; }
attach() { xl network-attach g1 mac=00:16:3e:00:00:02 bridge=xenbr0 script=vif-bridge; }
detach() { xl network-detach g1 1; }
save() { xl save g1 /save/g1; }
restore() { xl restore /save/g1; }
destroy() { xl destroy g1; }
reboot() {
  local domid
  domid=$(xl domid g1)
  xl reboot -w g1 && until_true 40 domid_is_not g1 "$domid"
}
shutdown() { xl shutdown -w g1 && until_true 40 no_domain g1; }

claim "a guest starts, and is reached" up
# The daemon is killed so many seconds after the command began, which must not have ended; a new one starts at once.
killed_in() { # COMMAND SECONDS
  local command status=0
  "$1" >/tmp/command 2>&1 &
  command=$!
  sleep "$2"
  kill -0 $command || { echo "it had ended before"; status=1; }
  end_daemon KILL
  daemon || return 1
  wait $command || { status=$?; cat /tmp/command; }
  return $status
}
state_is() { [[ $(xenstore-read "/local/domain/0/backend/vif/$(xl domid g1)/$1/state") == "$2" ]]; }
# Each step has the guest that the one before it has left.
for step in "save 1" "restore 2" "reboot 1" "attach 0.3" "detach 0.2" "destroy 0.2" "create 1" "shutdown 1"; do
  # shellcheck disable=SC2086 # a word and a number
  claim "the daemon killed in the middle of xl ${step% *}, which succeeds all the same" killed_in $step
  case ${step% *} in
    attach) claim "the new vif connects" until_true 20 state_is 1 4 ;;
    restore | reboot | create) claim "the guest is reached again" reaches 10.0.0.2 60 ;;
    detach | destroy | shutdown) claim "nothing is left" nothing_left ;;
  esac
  [[ ${step% *} != @(detach|shutdown) ]] || claim "the next create works" up
done

back_two_seconds_later() {
  local detach
  end_daemon KILL
  xl network-detach g1 0 &
  detach=$!
  sleep 2
  daemon && wait $detach
}
claim "the daemon dead when xl network-detach comes, and back two seconds later" back_two_seconds_later
claim "nothing is left" nothing_left

interrupted() { # SIGNAL WHEN XL'S WORDS...: after so many seconds, or when its vif is `offered`
  local xl from status=0
  length /out/ringbackd.log
  # Bash has what runs in the background ignore SIGINT.
  (trap - INT && exec xl "${@:3}") >/tmp/command 2>&1 &
  xl=$!
  if [[ $2 == offered ]]; then until_true 9 said_since /out/ringbackd.log "$from" offered; else sleep "$2"; fi
  kill "-$1" $xl || { echo "it had ended before"; return 1; }
  wait $xl || status=$?
  echo "exit status $status"
  [[ $status == "$([[ $1 == INT ]] && echo 130 || echo 137)" ]]
}
reboots_or_goes_on() { until_true 15 domid_is_not g1 "$domid" || echo "it was not asked"; reaches 10.0.0.2 60; }
goes_or_goes_on() { until_true 15 no_domain g1 || { echo "it was not asked" && reaches 10.0.0.2; }; }
for signal in INT KILL; do
  for moment in 0.5 offered; do
    claim "xl create ended by SIG$signal (when: $moment)" interrupted $signal $moment create -q /tmp/g1.cfg
    claim "nothing is left" nothing_left
  done
  for words in "0.3 network-attach g1 mac=00:16:3e:00:00:02 bridge=xenbr0 script=vif-bridge" "0.1 network-detach g1 0" \
    "1 save g1 /save/g1" "0.1 reboot -w g1" "0.1 shutdown -w g1" "0.2 destroy g1"; do
    # Once is enough for the longer half.
    [[ $signal == INT || $words != *@(reboot|shutdown|destroy)* ]] || continue
    claim "the next create works" up
    domid=$(xl domid g1)
    # shellcheck disable=SC2086 # words
    claim "xl $(cut -d ' ' -f 2 <<<"$words") ended by SIG$signal" interrupted $signal $words
    # These two may have been asked for: the xl that created the guest does them then.
    case $words in
      *reboot*) claim "the guest is reached, as another domain or the same" reboots_or_goes_on ;;
      *shutdown*) claim "the guest goes, or goes on" goes_or_goes_on ;;
    esac
    claim "nothing is left" nothing_left
  done
done

destroyed_in_transfer() {
  up || return 1
  iperf3 -c 10.0.0.2 -t 5 >/dev/null 2>&1 &
  local stream=$!
  in_guest 10.0.0.2 'iperf3 -c 10.0.0.1 -t 5 >/dev/null 2>&1 &'
  sleep 1
  kill -0 $stream && xl_clean xl destroy g1 && nothing_left
}
for ((i = 1; i <= 3; ++i)); do claim "a guest destroyed in the middle of a transfer ($i of 3)" destroyed_in_transfer; done

# By hand, under a running vif: the daemon lets go before the guest does.
claim "the next create works" up
backend_directory_removed() { xenstore-rm "/local/domain/0/backend/vif/$(xl domid g1)" && until_true 10 holds "$before"; }
claim "a backend directory removed by hand: the daemon lets go of the vif" backend_directory_removed
claim "nothing is left" nothing_left
claim "the next create works" up
# The new tap is in no bridge, and the daemon says so, in the log too.
device_deleted() {
  local tap
  tap=vif$(xl domid g1).0
  ip link delete "$tap" && until_true 5 test -e "/sys/class/net/$tap" && ip link set "$tap" master xenbr0 up && reaches 10.0.0.2 &&
    xenstore-read "/local/domain/0/backend/vif/$(xl domid g1)/0/error" | grep 'its tap was deleted'
}
claim "its network device deleted by hand: there is a new one" device_deleted
may_log='its tap was deleted' # by the claim above, and there is no other in this suite
claim "nothing is left" nothing_left
claim "the next create works" up
verdicts
