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
    sleep "1.$((RANDOM % 9))"
    kill "-$2" "$daemon_pid"
    wait "$daemon_pid" 2>/dev/null
    : >/out/ringbackd.log
    daemon || return 1
  done
}

# One TCP connection to each guest, that carries bytes as long as the restarts go on.
dd if=/dev/urandom of=/tmp/random bs=1M count=8 status=none
receive() { in_guest "$1" 'socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum >/tmp/sum'; }
send() {
  while [[ ! -e /tmp/enough ]]; do cat /tmp/random; done | tee >(sha256sum >"/tmp/sent-$1") | socat -u - "TCP:$1:7000,retry=50,interval=0.1"
}
same_sums() { [[ -s /tmp/sent-$1 && $(in_guest "$1" 'cat /tmp/sum') == "$(cat "/tmp/sent-$1")" ]]; }
for signal in KILL TERM; do
  rm -f /tmp/enough
  jobs=()
  for address in 10.0.0.2 10.0.0.3; do
    receive "$address" & jobs+=($!)
    send "$address" & jobs+=($!)
  done
  sleep 2
  claim "twenty restarts by SIG$signal under load" restarts 20 "$signal"
  touch /tmp/enough
  claim "the streams came to their ends" wait "${jobs[@]}"
  claim "what the tap carried arrived with its SHA-256" same_sums 10.0.0.2
  claim "and what the switch carried" same_sums 10.0.0.3
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
