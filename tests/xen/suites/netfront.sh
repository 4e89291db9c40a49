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
streams() { iperf3 -f m -c 10.0.0.2 -t 3 | received && iperf3 -f m -c 10.0.0.2 -t 3 -R | received; }
random() {
  dd if=/dev/urandom of=/tmp/random bs=1M count=64 status=none
  in_guest 10.0.0.2 'socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum >/tmp/sum' &
  socat -u OPEN:/tmp/random TCP:10.0.0.2:7000,retry=50,interval=0.1
  wait $!
  [[ $(in_guest 10.0.0.2 'cat /tmp/sum') == "$(sha256sum </tmp/random)" ]]
}
bridge_up xenbr0 10.0.0.1/24
for backend in ringbackd netback; do
  if [[ $backend == ringbackd ]]; then claim "$backend: the daemon starts" daemon; else
    claim "$backend: the daemon ends" end_daemon
    modprobe xen-netback
  fi
  claim "$backend: a guest with ringback-netfront starts" xl_clean serve g1
  claim "$backend: it is reached" reaches 10.0.0.2 60
  claim "$backend: ping loses nothing" loses_nothing 10.0.0.2
  claim "$backend: TCP flows both ways" streams
  claim "$backend: 64 MiB arrive with their SHA-256" random
  claim "$backend: xl network-detach succeeds" xl_clean xl network-detach g1 0
  claim "$backend: xl destroy" xl_clean xl destroy g1
done
claim "a daemon starts beside the kernel's netback" daemon
claim "and says that it is loaded" grep "the kernel's netback is loaded" /out/ringbackd.log
create() { vif='mac=00:16:3e:00:00:02,bridge=xenbr0,script=vif-bridge' guest g2 10.0.0.3; }
claim "a vif that comes then" xl_clean create
served_by_kernel() { ethtool -i "vif$(xl domid g2).0" | grep 'driver: vif'; }
claim "is served by the kernel" served_by_kernel
claim "and reached" reaches 10.0.0.3 60
claim "the daemon says that it leaves it alone" grep "vif$(xl domid g2).0: left to the kernel's netback" /out/ringbackd.log
no_taps() { held_here | grep 'mappings 0 taps 0'; }
claim "and does" no_taps
claim "xl destroy" xl_clean xl destroy g2
verdicts
