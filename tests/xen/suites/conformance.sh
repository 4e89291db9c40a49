# shellcheck shell=bash
# The conformance suite, unchanged, on real Xen: where the embedded hypervisor differs it is wrong. A guest is its other
# domain. And the embedded store against the real one, as the kernel's device has it. busy=1 timeout=600
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
# Each event channel of both domains, and all that is in the store.
in_use() {
  lsevtchn 0 && lsevtchn "$(xl domid g1)" && xenstore-ls -f
}
in_use >/tmp/before
run() { CONFORMANCE_PEER=/tmp/peer timeout 100 conformance >/out/conformance.log 2>&1; }
all_hold() {
  echo "$(grep -c '^holds' /out/conformance.log) claims hold"
  grep '^0 claims broken' /out/conformance.log && none_of '^BROKEN' /out/conformance.log
}
as_before() { in_use | diff /tmp/before -; }
claim "the conformance suite comes to its end" run
claim "every claim of it holds" all_hold
claim "it leaves no event channel in either domain, and nothing in the store" until_true 5 as_before
embedded() { timeout 100 bash /payload/tests/run.sh /payload/bin/ringback-hypervisor 0 /payload/bin/conformance >/out/embedded.log 2>&1; }
claim "it comes to its end on the embedded hypervisor too, here, and leaves nothing" embedded
# Xen's library says of errors, too.
same_claims() { grep -c '^holds' /out/embedded.log && diff /out/embedded.log <(grep -v '^gnttab: error: ' /out/conformance.log); }
claim "and has made the same claims there" same_claims
# A domain some of whose memory is still mapped stays, without a name.
destroyed() { xl_clean xl destroy g1 && until_true 5 only_dom0; }
only_dom0() { [[ $(xl list | wc -l) == 2 ]] || { xl list; return 1; }; }
claim "xl destroy, and the guest is gone: nothing of it is still mapped" destroyed

export OURS=/tmp/ours REFERENCE=/tmp/reference TOP=/ringback-compared
mkdir $OURS $REFERENCE
ln -s /dev/xen/xenbus $REFERENCE/socket
store_server_alone $OURS --bare &
store=$!
xenstore-ls -f >/tmp/before
compared() { bash /payload/tests/debian_tools.sh; }
claim "the store's own: it listens" until_true 5 test -S $OURS/0
claim "Debian's xenstore tools see no difference between it and Xen's, over /dev/xen/xenbus" compared
kill $store
removed() { xenstore-rm $TOP && xenstore-ls -f | diff /tmp/before -; }
claim "which is as before, without what they wrote" removed
verdicts
