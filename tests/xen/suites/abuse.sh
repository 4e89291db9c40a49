# shellcheck shell=bash
# What operators, accidents and crashes do to the toolstack's work: no hang, no leak, the next create works. kinds=pv,pvh busy=1 timeout=900
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
# No command of xl may hang: the longest of libxl's own timeouts is 10 s, and a guest's memory is saved in 5.
xl() { timeout 40 xl ${verbose:+-vvv} "$@"; }
claim "the daemon starts" daemon
before=$(held)
bridge_up xenbr0 10.0.0.1/24
script="vif-bridge" looked=0
memory=128 # enough for a guest without files, and less to hand over and to save
up() { vif="mac=00:16:3e:00:00:01,bridge=xenbr0,script=$script" xl_clean guest g1 10.0.0.2 && reaches 10.0.0.2 60; }
asked() { xenstore-ls -f /local/domain/0/backend/vif 2>/dev/null | grep -q "/state = \"$1\""; } # of the vifs there some one has this state
# Ends what guests there are, in whatever state and with a name or without, and looks that nothing of them is left.
nothing_left() {
  local domid
  for domid in $(xl list | awk 'NR > 2 { print $(NF - 4) }'); do xl destroy "$domid" || return 1; done
  keep_logs $((++looked))
  until_true 10 holds "$before" || { xenstore-ls -f /local/domain/0/backend/vif; return 1; }
  [[ $script != vif-openvswitch ]] || no_ports
}

# What xl does, in a word. A guest's file is there since it was first created.
create() { xl create -q /tmp/g1.cfg; }
attach() { xl network-attach g1 mac=00:16:3e:00:00:02 bridge=xenbr0 "script=$script"; }
detach() { xl network-detach g1 1; }
save() { xl save g1 /save/g1; }
restore() { xl restore /save/g1; }
destroy() { xl destroy g1; }
state_is() { [[ $(xenstore-read "/local/domain/0/backend/vif/$(xl domid g1)/$1/state") == "$2" ]]; }
reboot() { # to its end, the new guest's vif
  local domid
  domid=$(xl domid g1)
  xl reboot -w g1 && until_true 40 domid_is_not g1 "$domid" && until_true 40 state_is 0 4
}
shutdown() { xl shutdown -w g1 && until_true 40 no_domain g1; }

# moment WHEN: `told`: when the guest has been told to shut down or to reboot; `saving`: when there are bytes of it in its file;
# `new`, `closing`: when xl has made a vif, or asks for one to be closed; or when the daemon has said that one is offered or
# disconnected, since `from`
moment() {
  case $1 in
    told) wait $told ;;
    saving) until_true 20 test -s /save/g1 ;;
    new) until_true 20 asked 1 ;;
    closing) until_true 20 asked 5 ;;
    *) until_true 20 said_since /out/ringbackd.log "$from" ": $1" ;;
  esac
}
# The daemon is killed then, and the command must not have ended; a new daemon starts at once. What is new or closing the
# killed one has not seen.
killed_in() { # COMMAND WHEN
  local command from status=0
  length /out/ringbackd.log
  [[ $2 != @(new|closing) ]] || kill -STOP "$daemon_pid"
  xl_clean "$1" >/tmp/command 2>&1 &
  command=$!
  moment "$2" || { echo "no vif was $2"; status=1; }
  kill -0 $command || { echo "it had ended before"; status=1; }
  end_daemon KILL
  daemon || return 1
  wait $command || { status=$?; cat /tmp/command; }
  return $status
}
# Each step has the guest that the one before it has left.
killed_in_each() {
  local step
  for step; do
    # shellcheck disable=SC2086 # a word and a number
    claim "$script, $kind: the daemon killed in the middle of xl ${step% *} (when: ${step#* }), which succeeds all the same" killed_in $step
    case ${step% *} in
      attach) claim "the new vif connects" until_true 20 state_is 1 4 ;;
      restore | reboot | create) claim "the guest is reached again" reaches 10.0.0.2 60 ;;
      detach | destroy | shutdown) claim "nothing is left" nothing_left ;;
    esac
    [[ ${step% *} != @(detach|shutdown) ]] || claim "the next create works" up
  done
}
killed_while_paused() {
  local from
  xl_clean xl pause g1 || return
  end_daemon KILL
  length /out/ringbackd.log
  daemon && until_true 10 said_since /out/ringbackd.log "$from" ': connected' && xl_clean xl unpause g1 && reaches 10.0.0.2
}
while_paused() { claim "$script, $kind: the daemon killed while the guest is paused, which goes on afterwards" killed_while_paused; }

destroyed_in_transfer() {
  local stream status=0
  iperf3 -c 10.0.0.2 --bidir -t 60 >/dev/null 2>&1 &
  stream=$!
  flows_both_ways "$1" && kill -0 $stream && xl_clean xl destroy g1 || status=1
  kill $stream
  wait $stream
  return $status
}

# By hand, under a running vif: the daemon lets go before the guest does.
removed=''
backend_directory_removed() {
  local directory
  directory=/local/domain/0/backend/vif/$(xl domid g1)$removed
  xenstore-rm "$directory" && until_true 10 lets_go && ! xenstore-exists "$directory"
}
# The frontend's nodes stay with the guest.
lets_go() { holds "${before/nodes 0 /}" held_but_nodes; }
held_but_nodes() { held | sed -E 's/nodes [0-9]+ //'; }

# The guest has to keep its network, also when there is another store that knows nothing of it.
store_dies() {
  kill -KILL "$(pids_of xenstored)"
  until_true 10 said_since /out/ringbackd.log 0 ': the vifs that are connected go on' && sleep 3 && loses_nothing 10.0.0.2
}
another_store() { rm -f /run/xenstored.pid && xenstored --pid-file /run/xenstored.pid && until_true 10 xenstore-write /there 1; }
knows_it_again() {
  local status=0
  xenstore-write "$vif/frontend" "$frontend" && until_true 10 ended "$daemon_pid" || return 2
  wait "$daemon_pid" || status=$?
  echo "it ended with $status"
  ((status == 1))
}
store_dies_and_comes_back() {
  vif=/local/domain/0/backend/vif/$(xl domid g1)/0
  frontend=$(xenstore-read "$vif/frontend")
  claim "xenstored dies: the guest goes on" store_dies
  claim "there is another store, which is empty" another_store
  claim "the guest goes on" loses_nothing 10.0.0.2 30
  claim "when that store knows the vif again the daemon ends, and says that it failed" knows_it_again
  may_log+="${may_log:+|}the connection to the store has broken"
}
ended() { ! kill -0 "$1" 2>/dev/null; }

if [[ $kind == pvh ]]; then
  script="vif-ringback"
  on_switch() { grep "vif$(xl domid g1).0: offered to domain $(xl domid g1), on switch xenbr0" /out/ringbackd.log; }
  claim "a guest starts, and is reached" up
  claim "the daemon says so" on_switch
  while_paused
  killed_in_each "save disconnected" "restore offered" "attach new" "destroy closing" "create new"
  claim "on the switch: a guest destroyed in the middle of a transfer both ways" destroyed_in_transfer up-xenbr0
  claim "nothing is left" nothing_left
  claim "the next create works" up
  claim "on the switch: a backend directory removed by hand: the daemon lets go of the vif" backend_directory_removed
  claim "nothing is left" nothing_left
  claim "the next create works" up
  store_dies_and_comes_back
  verdicts
fi

claim "a guest starts, and is reached" up
while_paused
killed_in_each "save disconnected" "restore offered" "reboot offered" "attach new" "detach closing" "destroy closing" "create offered" "shutdown disconnected"

back_two_seconds_later() {
  local detach
  end_daemon KILL
  xl network-detach g1 0 &
  detach=$!
  sleep 2
  kill -0 $detach && daemon && wait $detach
}
claim "the daemon dead when xl network-detach comes, and back two seconds later" back_two_seconds_later
claim "nothing is left" nothing_left

no_script() { [[ -z $(pids_of vif-bridge) ]]; }
interrupted() { # SIGNAL WHEN XL'S WORDS...
  local xl told from status=0
  length /out/ringbackd.log
  if [[ $2 == told ]]; then
    rm -f /tmp/told # of the one before
    timeout 20 xenstore-watch -n 2 "/local/domain/$(xl domid g1)/control/shutdown" >/tmp/told &
    told=$!
    until_true 5 test -s /tmp/told # a watch fires once when it is set
  fi
  [[ $2 != saving ]] || rm -f /save/g1
  # Bash has what runs in the background ignore SIGINT. Without its time limit, for the signal is for xl itself.
  (trap - INT && exec xl "${@:3}") >/tmp/command 2>&1 &
  xl=$!
  moment "$2" || { echo "no vif was $2"; status=1; }
  kill "-$1" $xl || { echo "it had ended before"; return 1; }
  until_true 20 ended $xl || { echo "it goes on"; kill -KILL $xl; }
  ((status == 0)) && wait $xl || status=$?
  echo "exit status $status"
  # The script that xl leaves at its work writes hotplug-status in the end, also where the vif has been removed meanwhile.
  until_true 20 no_script || { echo "its vif-bridge goes on"; return 1; }
  [[ $status == "$([[ $1 == INT ]] && echo 130 || echo 137)" ]]
}
reboots_all_the_same() { until_true 30 domid_is_not g1 "$domid" && reaches 10.0.0.2 60; }
claim "xl restore ended by SIGINT (when: offered), and its script by itself" interrupted INT offered restore /save/g1
claim "nothing is left" nothing_left
for how in "INT offered" "KILL offered"; do
  # shellcheck disable=SC2086 # words
  claim "xl create ended by SIG${how% *} (when: ${how#* }), and its script by itself" interrupted $how create -q /tmp/g1.cfg
  claim "nothing is left" nothing_left
done
for each in "offered network-attach g1 mac=00:16:3e:00:00:02 bridge=xenbr0 script=vif-bridge" "disconnected network-detach g1 0" \
  "saving save g1 /save/g1"; do
  # network-detach has the guest that network-attach left.
  [[ $each == *network-detach* ]] || claim "the next create works" up
  # shellcheck disable=SC2086 # words
  claim "xl $(cut -d ' ' -f 2 <<<"$each") ended by SIGINT, and its script by itself" interrupted INT $each
  [[ $each == *network-attach* ]] || claim "nothing is left" nothing_left
done
# Of the first two of these the xl that created the guest does the rest.
claim "the next create works" up
domid=$(xl domid g1)
claim "xl reboot ended by SIGINT (when: told)" interrupted INT told reboot -w g1
claim "the guest is reached, as another domain" reboots_all_the_same
claim "xl shutdown ended by SIGINT (when: told)" interrupted INT told shutdown -w g1
claim "the guest goes" until_true 30 no_domain g1
claim "nothing is left" nothing_left
claim "the next create works" up
claim "xl destroy ended by SIGINT" interrupted INT disconnected destroy g1
claim "nothing is left" nothing_left

claim "the next create works" up
claim "a guest destroyed in the middle of a transfer both ways" destroyed_in_transfer "vif$(xl domid g1).0"
claim "nothing is left" nothing_left

claim "the next create works" up
claim "a backend directory removed by hand: the daemon lets go of the vif" backend_directory_removed
claim "nothing is left" nothing_left
claim "the next create works" up
removed="/0"
claim "only the vif's directory in it removed: the daemon lets go likewise" backend_directory_removed
claim "nothing is left" nothing_left
removed=''
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

ip link delete xenbr0
claim "Open vSwitch takes the bridge's place" open_vswitch_up xenbr0 10.0.0.1/24
script="vif-openvswitch"
claim "the next create works, in Open vSwitch" up
while_paused
killed_in_each "save disconnected" "restore new" "attach offered" "detach disconnected" "destroy closing"
ovs-vsctl del-br xenbr0
bridge_up xenbr0 10.0.0.1/24

script="vif-bridge"
claim "the next create works" up
store_dies_and_comes_back
verdicts
