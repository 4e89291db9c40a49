# shellcheck shell=bash
# The daemon killed and ended under load, twenty times each, with taps and a switch: nobody notices. guests=pv2v2 timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
start() { daemon --workers 2; } # a vif's two queues are served by two, as where there are more processors
claim "the daemon starts" start
before=$(held)
bridge_up xenbr0 10.0.0.1/24
attach() { xl network-attach "g$1" "mac=00:16:3e:00:0$2:0$1" bridge=xenbr0 "script=$3"; }
claim "g1 gets a tap in a bridge" xl_clean attach 1 0 vif-bridge
claim "g2 gets a port of a switch that is in that bridge" xl_clean attach 2 0 vif-ringback
claim "and g1 another" xl_clean attach 1 1 vif-ringback
ip address add 10.0.1.1/24 dev xenbr0
claim "g1 is reached over its tap" reaches 10.0.0.2
# eth0 does not answer for eth1, which is on the same segment. Each iperf3 serves one at a time.
in_guest 10.0.0.2 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; iperf3 -s -D -p 5202'
iperf3 -s -D
claim "g2 is reached over the switch" reaches 10.0.0.3
claim "g2 gets an address beside g1's" in_guest 10.0.0.3 'ip address add 10.0.1.3/24 dev eth0'
for address in 10.0.1.2 10.0.1.3; do claim "$address is reached over the switch" reaches $address; done
two_queues() { [[ $(xenstore-read /local/domain/{1/device/vif/{0,1},2/device/vif/0}/multi-queue-num-queues) == $'2\n2\n2' ]]; }
claim "each vif has 2 queues" two_queues
states=()
for vif in 1/0 1/1 2/0; do states+=("/local/domain/${vif/'/'//device/vif/}/state" "/local/domain/0/backend/vif/$vif/state"); done
xenstore-watch "${states[@]}" >/out/states 2>&1 &
watch=$!
# A watch fires once when it is set.
states_seen() { [[ $(wc -l </out/states) == 6 ]] || { cat /out/states; return 1; }; }
claim "their states are watched" until_true 5 states_seen

taps=(vif1.0 up-xenbr0)
switch_off_tso() { local tap; for tap in "${taps[@]}"; do ethtool -K "$tap" tso off; done; }
without_tso() { local tap; for tap in "${taps[@]}"; do ethtool -k "$tap" | grep '^tcp-segmentation-offload: off' || return; done; }
ways=("10.0.0.1 10.0.0.2" "10.0.0.3 10.0.0.1" "10.0.1.2 10.0.1.3") # by the tap; by the uplink; by the switch alone
# By tap and by switch, both ways, with as much as there can be. Who receives is the client: it knows what has come.
loads=("10.0.0.1 10.0.0.2" "10.0.0.2 10.0.0.1" "10.0.1.2 10.0.1.3 5202" "10.0.1.3 10.0.1.2")
# That it was ended it says at once, and that would lie in the middle of a line that is only half written.
load() { # FROM TO [PORT]
  at "$2" "{ echo \$BASHPID >/tmp/pid-iperf3-$1; exec iperf3 -R -f m -c $1 -p ${3:-5201} -t 10000; } </dev/null >/tmp/iperf3-$1 2>/dev/null &"
}
load_ends() { # FROM TO [PORT]: true if it has gone on until now
  until_true 30 ping -q -c 1 -W 3 "$2" >/dev/null 2>&1 # whose address has not been asked for in minutes, and an answer waits behind all that flows
  at "$2" "read -r pid </tmp/pid-iperf3-$1; rm /tmp/pid-iperf3-$1; kill \$pid || exit
    while [ -e /proc/\$pid ]; do sleep 0.1; done; grep receiver /tmp/iperf3-$1" | received
}
# At a place: until each that receives there, a stream or iperf3, has read 16 KiB more, and all together so many bytes.
# Guests get it once and call it by their consoles: among so many flows a new shell there takes seconds, and so does a script
# of a thousand letters.
go_on_here() { # BYTES
  local file pid bytes behind=all all=$1 sum=0 i
  local -A enough=()
  has_read() { read -r pid <"$1" && read -r _ bytes <"/proc/$pid/io"; }
  for file in /tmp/pid-*; do
    has_read "$file" || { echo "$file: it has ended"; return 1; }
    enough[$file]=$((bytes + 16384)) all=$((all + bytes))
  done
  for ((i = 0; i < 300 && (${#behind} > 0 || sum < all); ++i)); do
    read -rt 0.1 <>/tmp/never
    behind='' sum=0
    for file in "${!enough[@]}"; do
      has_read "$file" || { echo "$file: it has ended"; return 1; }
      sum=$((sum + bytes))
      ((bytes >= enough[$file])) || behind+=" $file"
    done
  done
  [[ -z $behind ]] || { echo "no more comes to$behind"; return 1; }
  ((sum >= all)) || { echo "only $((sum - all + $1)) bytes more have come"; return 1; }
}
all_go_on() { # [BYTES]: at each place
  local guest job jobs=() status=0 bytes=${1:-65536}
  go_on_here "$bytes" &
  jobs+=($!)
  for guest in g1 g2; do
    on_console $guest "go_on_here $bytes" 60 &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || status=1; done
  return $status
}

end_and_start() { # SIGNAL
  local status
  end_daemon "$1" && status=0 || status=$?
  [[ $status == "$(($1 == 9 ? 137 : 0))" ]] || { echo "the daemon ended with $status"; return 1; }
  length /out/ringbackd.log
  start
}
# As an installation does it: a new file takes the place of the one that runs. (It differs by a number behind its end.)
upgrade() { mv "/tmp/new/$((++upgrades))" /tmp/new/ringbackd && end_and_start 15 && [[ /proc/$daemon_pid/exe -ef /tmp/new/ringbackd ]]; }
took_over() { local vif; for vif in vif1.0 vif1.1 vif2.0; do said_since /out/ringbackd.log "$from" "$vif: connected" || return; done; }
ports_stay() { local tap; for tap in "${taps[@]}"; do [[ /sys/class/net/$tap/master -ef /sys/class/net/xenbr0 ]] || return; done; }
# each_time COUNT COMMAND...: after each all vifs are taken over, and all that receive go on; each fifth time
# until 1 MiB has come to each place, which with so much on two emulated processors takes seconds
each_time() {
  local i
  for ((i = 1; i <= $1; ++i)); do
    "${@:2}" || return 1
    until_true 30 took_over || { echo "after restart $i not all vifs were taken over"; return 1; }
    ports_stay || { echo "after restart $i the tap or the uplink is in no bridge"; return 1; }
    all_go_on $((i % 5 == 0 ? 1048576 : 65536)) || { echo "after restart $i"; return 1; }
  done
}
# At any moment: while it takes vifs over, and when it has just begun to serve them.
hasty_kills() {
  local i
  for ((i = 1; i < $1; ++i)); do
    end_and_start 9 || return 1
    rest "$((RANDOM % 3)).$((RANDOM % 9))"
  done
  each_time 1 end_and_start 9
}
told() { on_console "$1" "$(declare -f go_on_here)"; }
for guest in g1 g2; do claim "$guest is told how to look" told $guest; done
mkdir /tmp/new
for i in {1..20}; do cp /payload/bin/ringbackd "/tmp/new/$i" && echo "$i" >>"/tmp/new/$i"; done
# shellcheck disable=SC2086 # addresses
{
  for way in "${ways[@]}"; do start_stream $way; done
  for each in "${loads[@]}"; do load $each; done
}
claim "bytes flow three ways, and iperf3's by tap and switch both ways" until_true 20 all_go_on
claim "twenty times killed: each time the next takes all vifs over, and every flow goes on" each_time 20 end_and_start 9
claim "ten times more, at any moment: all go on afterwards" hasty_kills 10
PATH=/tmp/new:$PATH upgrades=0
claim "fifteen times ended for another file: each time that takes all vifs over, and every flow goes on" each_time 15 upgrade
switch_off_tso
claim "and five times with a frame for each segment" each_time 5 upgrade
claim "what ethtool -K switched off before is off on the tap and on the uplink" without_tso
jobs=()
# shellcheck disable=SC2086 # addresses
for each in "${loads[@]}"; do
  load_ends $each >"/tmp/ends-${each// /-}" 2>&1 &
  jobs+=($!)
done
has_ended() { # JOB LOAD
  local status=0
  wait "$1" || status=$?
  cat "/tmp/ends-${2// /-}"
  return $status
}
for i in "${!loads[@]}"; do
  read -r from to _ <<<"${loads[i]}"
  claim "iperf3 has received from $from at $to all the time" has_ended "${jobs[i]}" "${loads[i]}"
done
# shellcheck disable=SC2086 # two addresses
for way in "${ways[@]}"; do claim "what was under way from ${way/ / to } arrives with its SHA-256" stream_arrives $way; done
for address in 10.0.0.2 10.0.0.3; do claim "ping to $address loses nothing afterwards" loses_nothing $address; done
claim "no end has ever left Connected" states_seen
claim "no checksum was wrong" no_checksum_errors 10.0.0.1 10.0.0.2 10.0.0.3
still_a_port() { bridge link | grep 'vif1.0.*master xenbr0.*forwarding'; }
claim "the tap is still a port of its bridge" still_a_port
gone_while_away() {
  end_daemon KILL
  xl destroy g1 # says that no backend answers
  [[ -e /sys/class/net/vif1.0 ]] && start && until_true 5 test ! -e /sys/class/net/vif1.0
}
claim "a guest that is destroyed while no daemon runs leaves no tap to the next" gone_while_away
claim "xl network-detach" xl_clean xl network-detach g2 0
states_move() { tail -n +7 /out/states | grep '/local/domain/0/backend/vif/2/0/state'; }
claim "which is seen in the states" states_move
kill $watch
claim "xl destroy" xl_clean xl destroy g2
claim "the daemon holds what the first held before" until_true 5 holds "$before"
verdicts
