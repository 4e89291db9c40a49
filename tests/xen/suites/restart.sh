# shellcheck shell=bash
# The daemon killed and ended under load, twenty times each, with taps and a switch: nobody notices. guests=pv2 timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
claim "the daemon starts" daemon
before=$(held)
bridge_up xenbr0 10.0.0.1/24
attach() { xl network-attach "g$1" "mac=00:16:3e:00:0$2:0$1" bridge=xenbr0 "script=$3"; }
claim "g1 gets a tap in a bridge" xl_clean attach 1 0 vif-bridge
claim "g2 gets a port of a switch that is in that bridge" xl_clean attach 2 0 vif-ringback
claim "and g1 another" xl_clean attach 1 1 vif-ringback
ip address add 10.0.1.1/24 dev xenbr0
claim "g1 is reached over its tap" reaches 10.0.0.2
in_guest 10.0.0.2 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore' # eth0 does not answer for eth1, which is on the same segment
claim "g2 is reached over the switch" reaches 10.0.0.3
claim "g2 gets an address beside g1's" in_guest 10.0.0.3 'ip address add 10.0.1.3/24 dev eth0'
for address in 10.0.1.2 10.0.1.3; do claim "$address is reached over the switch" reaches $address; done
states=()
for vif in 1/0 1/1 2/0; do states+=("/local/domain/${vif/'/'//device/vif/}/state" "/local/domain/0/backend/vif/$vif/state"); done
xenstore-watch "${states[@]}" >/out/states 2>&1 &
watch=$!
# A watch fires once when it is set.
states_seen() { [[ $(wc -l </out/states) == 6 ]] || { cat /out/states; return 1; }; }
claim "their states are watched" until_true 5 states_seen

end_and_start() { # SIGNAL
  local status
  end_daemon "$1" && status=0 || status=$?
  [[ $status == "$(($1 == 9 ? 137 : 0))" ]] || { echo "the daemon ended with $status"; return 1; }
  length /out/ringbackd.log
  daemon
}
took_over() { said_since /out/ringbackd.log "$from" $': connected\n*: connected\n*: connected\n'; }
# shellcheck disable=SC2086 # two addresses
streams_go_on() {
  local way job jobs=()
  for way in "${ways[@]}"; do
    stream_goes_on $way &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || return 1; done
}
restarts() { # COUNT SIGNAL: after each all vifs are taken over, and all streams go on
  local i
  for ((i = 0; i < $1; ++i)); do
    end_and_start "$2" || return 1
    until_true 30 took_over || { echo "after restart $i not all vifs were taken over"; return 1; }
    streams_go_on || { echo "after restart $i"; return 1; }
  done
}
# Killed at any moment, while it takes vifs over too, with as much traffic as there can be.
hasty_restarts() {
  local i load
  iperf3 -c 10.0.0.2 -t 1000 >/dev/null &
  load=$!
  sleep 3 # until it is connected
  for ((i = 0; i < $1; ++i)); do
    sleep "$((RANDOM % 2)).$((RANDOM % 9))"
    end_and_start 9 || return 1
  done
  until_true 30 took_over || return 1
  kill -0 $load && kill $load || { echo "iperf3 has ended"; return 1; }
  streams_go_on
}
ways=("10.0.0.1 10.0.0.2" "10.0.0.3 10.0.0.1" "10.0.1.2 10.0.1.3") # by the tap; by the uplink; by the switch alone
for signal in 9 15; do
  # shellcheck disable=SC2086 # two addresses
  for way in "${ways[@]}"; do start_stream $way; done
  claim "bytes flow all three ways" streams_go_on
  claim "twenty restarts by signal $signal: each time all vifs and all streams go on" restarts 20 $signal
  [[ $signal != 9 ]] || claim "twenty at any moment under iperf3" hasty_restarts 20
  # shellcheck disable=SC2086 # two addresses
  for way in "${ways[@]}"; do claim "what was under way from ${way/ / to } arrives with its SHA-256" stream_arrives $way; done
  for address in 10.0.0.2 10.0.0.3; do claim "ping to $address loses nothing afterwards" loses_nothing $address; done
done
claim "no end has ever left Connected" states_seen
still_a_port() { bridge link | grep 'vif1.0.*master xenbr0.*forwarding'; }
claim "the tap is still a port of its bridge" still_a_port
gone_while_away() {
  end_daemon KILL
  xl destroy g1 # says that no backend answers
  [[ -e /sys/class/net/vif1.0 ]] && daemon && until_true 5 test ! -e /sys/class/net/vif1.0
}
claim "a guest that is destroyed while no daemon runs leaves no tap to the next" gone_while_away
claim "xl network-detach" xl_clean xl network-detach g2 0
states_move() { tail -n +7 /out/states | grep '/local/domain/0/backend/vif/2/0/state'; }
claim "which is seen in the states" states_move
kill $watch
claim "xl destroy" xl_clean xl destroy g2
claim "the daemon holds what the first held before" until_true 5 holds "$before"
verdicts
