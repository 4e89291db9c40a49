# shellcheck shell=bash
# The conformance suite, unchanged, on real Xen: where the embedded hypervisor differs it is wrong. A guest is its other domain.
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
claim "the daemon starts" daemon
peer='modprobe -a xen-gntalloc xen-evtchn xen-gntdev
export LD_LIBRARY_PATH=/payload/lib
socat TCP-LISTEN:7004,fork,reuseaddr EXEC:"/payload/bin/conformance peer",stderr 2>/tmp/peer.log &'
serve() {
  ramdisk=$(ramdisk_with conformance) words="do=$(base64 -w0 <<<"$peer")" \
    vif='mac=00:16:3e:00:00:01,bridge=lab,script=vif-ringback' guest g1 10.0.0.2
}
claim "a guest on a switch starts" serve
ip address add 10.0.0.1/24 dev up-lab
claim "it is reached" reaches 10.0.0.2 60
printf '#!/bin/sh\nexec socat - TCP:10.0.0.2:7004,retry=50,interval=0.1\n' >/tmp/peer
chmod 755 /tmp/peer
run() { CONFORMANCE_PEER=/tmp/peer timeout 100 conformance >/out/conformance.log 2>&1; }
all_hold() {
  echo "$(grep -c '^holds' /out/conformance.log) claims hold"
  grep '^0 claims broken' /out/conformance.log && ! grep '^BROKEN' /out/conformance.log
}
claim "the conformance suite comes to its end" run
claim "every claim of it holds" all_hold
verdicts
