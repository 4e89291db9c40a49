# shellcheck shell=bash
# kill -9 of the daemon under load, twenty times, tap and switch; and a clean upgrade. guests=pv2 timeout=600
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
daemon
bridge_up xenbr0 10.0.0.1/24
xl network-attach g1 mac=00:16:3e:00:00:01 bridge=xenbr0 script=vif-bridge
xl network-attach g2 mac=00:16:3e:00:00:02 bridge=xenbr0 script=vif-ringback
claim "g1 is reached over its tap" reaches 10.0.0.2
claim "g2 is reached over the switch" reaches 10.0.0.3
xenstore-watch /local/domain/1/device/vif/0/state /local/domain/2/device/vif/0/state \
  /local/domain/0/backend/vif/1/0/state /local/domain/0/backend/vif/2/0/state >/out/states 2>&1 &
watch=$!
sleep 1
seen=$(wc -l </out/states)

# restarts COUNT SIGNAL
restarts() {
  local i
  for ((i = 0; i < $1; ++i)); do
    sleep "0.$((RANDOM % 9 + 1))"
    kill "-$2" "$daemon_pid"
    wait "$daemon_pid" 2>/dev/null
    : >/out/ringbackd.log
    daemon || return 1
  done
}
# stream FROM-COMMAND TO-COMMAND...: 64 MiB, its SHA-256 at both ends
head -c 64M /dev/urandom >/tmp/random
sum=$(sha256sum </tmp/random)
stream() {
  in_guest "$1" 'socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum >/tmp/sum; echo received' >"/tmp/received-$1" &
  local receiver=$!
  socat -u OPEN:/tmp/random "TCP:$1:7000,retry=50,interval=0.1"
  wait $receiver
  [[ $(in_guest "$1" 'cat /tmp/sum') == "$sum" ]]
}
both_streams() {
  while [[ ! -e /tmp/enough ]]; do
    stream 10.0.0.2 & local one=$!
    stream 10.0.0.3 & local two=$!
    wait $one || return 1
    wait $two || return 1
    echo "two streams of 64 MiB arrived unchanged" >>/tmp/streams
  done
}
for signal in KILL TERM; do
  rm -f /tmp/enough /tmp/streams
  both_streams &
  streams=$!
  sleep 1
  claim "twenty restarts by SIG$signal under load" restarts 20 $signal
  touch /tmp/enough
  claim "every stream arrived with its SHA-256" wait $streams
  claim "there were some" cat /tmp/streams
  claim "ping loses nothing afterwards, by the tap" sh -c "ping -q -c 20 -i 0.05 10.0.0.2 | grep ' 0% packet loss'"
  claim "nor by the switch" sh -c "ping -q -c 20 -i 0.05 10.0.0.3 | grep ' 0% packet loss'"
done
kill $watch
claim "no end has ever left Connected" test "$(wc -l </out/states)" = "$seen"
claim "the tap is still a port of its bridge" sh -c 'bridge link | grep "vif1.0.*master xenbr0.*forwarding"'
gone_while_away() {
  end_daemon KILL
  xl destroy g1
  daemon
  until_true 5 test ! -e /sys/class/net/vif1.0
}
claim "a guest that is destroyed while no daemon runs leaves no tap to the next" gone_while_away
verdicts
