# shellcheck shell=bash
# ringback-netfront in a guest, over /dev/xen/gntalloc and /dev/xen/evtchn, against ringbackd and against kernel netback.
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
do_netfront=$(base64 -w0 <<'COMMANDS'
modprobe -a xen-gntalloc xen-evtchn tun
LD_LIBRARY_PATH=/payload/lib /payload/bin/ringback-netfront --tap eth0 --verify-checksums &
COMMANDS
)
serve() { # DOMAIN'S NAME
  ramdisk=$(ramdisk_with ringback-netfront) words="netfront=none do=$do_netfront" \
    vif='mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge' guest "$1" 10.0.0.2
}
streams() { iperf3 -f m -c 10.0.0.2 -t 3 | grep receiver && iperf3 -f m -c 10.0.0.2 -t 3 -R | grep receiver; }
random() {
  dd if=/dev/urandom of=/tmp/random bs=1M count=64 status=none
  in_guest 10.0.0.2 'socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum >/tmp/sum' &
  socat -u OPEN:/tmp/random TCP:10.0.0.2:7000,retry=50,interval=0.1
  wait $!
  [[ $(in_guest 10.0.0.2 'cat /tmp/sum') == "$(sha256sum </tmp/random)" ]]
}
bridge_up xenbr0 10.0.0.1/24
for backend in ringbackd netback; do
  if [[ $backend == ringbackd ]]; then daemon; else
    end_daemon
    modprobe xen-netback
  fi
  claim "$backend: a guest with ringback-netfront starts" serve g1
  claim "$backend: it is reached" reaches 10.0.0.2 60
  claim "$backend: ping loses nothing" sh -c "ping -q -c 20 -i 0.1 10.0.0.2 | grep ' 0% packet loss'"
  claim "$backend: TCP flows both ways" streams
  claim "$backend: 64 MiB arrive with their SHA-256" random
  claim "$backend: xl network-detach succeeds" xl network-detach g1 0
  claim "$backend: xl destroy" xl destroy g1
done
claim "the daemon is told by the kernel's netback that it is loaded" sh -c \
  'timeout 5 ringbackd 2>&1 | grep "netback is loaded"'
verdicts
