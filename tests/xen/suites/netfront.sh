# shellcheck shell=bash
# ringback-netfront in a guest, over /dev/xen/gntalloc and /dev/xen/evtchn, against ringbackd and against kernel netback.
# busy=1 timeout=600
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
ramdisk=$(ramdisk_with ringback-netfront)
serve() { # by $backend
  local options='' words
  [[ $backend != *'no offload'* ]] || options=--no-offload
  words="netfront=none do=$(base64 -w0 <<<"modprobe -a xen-gntalloc xen-evtchn tun
    LD_LIBRARY_PATH=/payload/lib /payload/bin/ringback-netfront --tap eth0 --verify-checksums --statistics /tmp/statistics $options &")"
  vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest g1 10.0.0.2
}
streams() { iperf3 -f m -c 10.0.0.2 -t 1 | received && iperf3 -f m -c 10.0.0.2 -t 1 -R | received; }
all='cat /tmp/random /tmp/random'
make="dd if=/dev/urandom of=/tmp/random bs=1M count=8 2>/dev/null && $all | sha256sum"
both_ways() {
  local here there
  there=$(in_guest 10.0.0.2 "$make") && here=$(eval "$make") || return 1
  in_guest 10.0.0.2 'socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum' >/tmp/came &
  $all | socat -u - TCP:10.0.0.2:7000,retry=50,interval=0.1 && wait $! && [[ $(</tmp/came) == "$here" ]] || return 1
  socat -u TCP-LISTEN:7001,reuseaddr - | sha256sum >/tmp/came &
  in_guest 10.0.0.2 "$all | socat -u - TCP:10.0.0.1:7001,retry=50,interval=0.1" && wait $! && [[ $(</tmp/came) == "$there" ]]
}
# Each frame has its whole checksum where there is no offload, by whoever is the backend; a TCP one is summed here.
# shellcheck disable=SC2016 # the guest's own
counters='kill -USR1 $(pidof ringback-netfront); for i in {1..50}; do [ ! -s /tmp/statistics ] || break; sleep 0.1; done; cat /tmp/statistics'
checksums_right() { in_guest 10.0.0.2 "$counters" | tee /dev/stderr | grep -E '"rx":\{"frames":[0-9]{5,},"bytes":[0-9]+,"checksum_errors":0,'; }
leaves_nothing() { [[ $backend == netback ]] || claim "$backend: and the daemon holds what it held before" until_true 5 holds "$before"; }
bridge_up xenbr0 10.0.0.1/24
for backend in ringbackd "ringbackd, no offload" netback; do
  case $backend in
    ringbackd)
      claim "$backend: the daemon starts" daemon
      before=$(held)
      ;;
    netback)
      claim "$backend: the daemon ends" end_daemon
      modprobe xen-netback
      ;;
  esac
  claim "$backend: a guest with ringback-netfront starts" xl_clean serve
  claim "$backend: it is reached" reaches 10.0.0.2 60
  claim "$backend: ping loses nothing" loses_nothing 10.0.0.2
  claim "$backend: TCP flows both ways" streams
  claim "$backend: 16 MiB arrive with their SHA-256, and others come back" both_ways
  [[ $backend != *'no offload'* ]] || claim "$backend: no checksum of 10,000 frames and more that came was wrong" checksums_right
  claim "$backend: xl network-detach succeeds" xl_clean xl network-detach g1 0
  leaves_nothing
  claim "$backend: xl destroy" xl_clean xl destroy g1
  leaves_nothing
done
claim "a daemon starts beside the kernel's netback" daemon
claim "and says that it is loaded" grep "the kernel's netback is loaded" /out/ringbackd.log
create() { ramdisk='' ip1=10.0.1.3 vif='mac=00:16:3e:00:00:02,bridge=xenbr0,script=vif-bridge' guest g2 10.0.0.3; }
claim "a vif that comes then" xl_clean create
driver_of() { ethtool -i "vif$(xl domid g2).$1" | grep "driver: $2"; }
claim "is served by the kernel" driver_of 0 vif
claim "and reached" reaches 10.0.0.3 60
claim "the daemon says that it leaves it alone" grep "vif$(xl domid g2).0: left to the kernel's netback" /out/ringbackd.log
serves_it() { [[ $(held_here) != *' mappings 0 taps 0 '* ]]; }
leaves_it() { ! until_true 2 serves_it; }
claim "and does, for two seconds more" leaves_it
# One that the kernel knows and is told to leave alone, in a bridge of its own: only by its tap is it reached.
bridge_up xenbr1 10.0.1.1/24
echo 0 >/sys/bus/xen-backend/drivers_autoprobe
attach() { xl network-attach g2 mac=00:16:3e:00:00:03 bridge=xenbr1 script=vif-bridge; }
claim "another vif, which the kernel has not claimed" xl_clean attach
claim "is served by the daemon" driver_of 1 tun
claim "and reached" reaches 10.0.1.3 60
claim "beside the first, which the kernel still has" driver_of 0 vif
claim "and which is reached" reaches 10.0.0.3
detach() { xl network-detach g2 1 && xl network-detach g2 0; }
claim "xl network-detach takes both off" xl_clean detach
claim "the daemon holds what it held before" until_true 5 holds "$before"
# As docs/xen.md has it, under a running guest.
echo 1 >/sys/bus/xen-backend/drivers_autoprobe
no_netback() { end_daemon && modprobe -r xen-netback; }
attach() { xl network-attach g2 mac=00:16:3e:00:00:02 bridge=xenbr0 script=vif-bridge; }
over() { xl_clean attach && driver_of 0 "$1" && reaches 10.0.0.3 30; }
change() { daemon && over tun; }
go_back() { xl_clean xl network-detach g2 0 && end_daemon && modprobe xen-netback && over vif; }
claim "the kernel's netback is unloaded" no_netback
claim "a daemon takes its place, and the guest is reached by a tap" change
claim "and the other way: the guest is reached by the kernel's vif" go_back
claim "xl destroy" xl_clean xl destroy g2
verdicts
