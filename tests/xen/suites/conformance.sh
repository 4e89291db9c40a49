# shellcheck shell=bash
# The conformance suites, unchanged, on real Xen: where the embedded hypervisor differs it is wrong. guests=pv1
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
daemon
xl network-attach g1 mac=00:16:3e:00:00:01 script=vif-ringback bridge=lab
ip address add 10.0.0.1/24 dev up-lab
claim "the guest that is the other domain is reached" reaches 10.0.0.2
in_guest 10.0.0.2 'modprobe -a xen-gntalloc xen-evtchn xen-gntdev; mkdir -p /payload
  (socat -u TCP-LISTEN:7002,reuseaddr - | tar -x -C /payload)' &
tar -c -C /payload bin/conformance lib | socat -u - TCP:10.0.0.2:7002,retry=50,interval=0.1
wait $!
in_guest 10.0.0.2 'export LD_LIBRARY_PATH=/payload/lib; socat TCP-LISTEN:7004,fork,reuseaddr EXEC:"/payload/bin/conformance peer" </dev/null >/tmp/peer.log 2>&1 &'
sleep 1
printf '#!/bin/sh\nexec socat - TCP:10.0.0.2:7004\n' >/tmp/peer
chmod 755 /tmp/peer
CONFORMANCE_PEER=/tmp/peer conformance >/out/conformance.log 2>&1
grep -v '^holds' /out/conformance.log
claim "every claim of the conformance suite holds" sh -c '! grep -q "^BROKEN" /out/conformance.log && grep -q "^0 claims broken" /out/conformance.log'
echo "$(grep -c '^holds' /out/conformance.log) claims hold"
verdicts
