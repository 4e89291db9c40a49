#!/bin/bash
# vchan.sh BIN pipe VCHAN_PIPE | proxy FOLDER_FOR_XEN_UTILS: random bytes from domain 1 to domain 2 by libxenvchan.
# RINGBACK_TRANSFER_MIB: how many (1024).
set -euo pipefail
here=$(dirname "$0")
program=$3
# Before the lab, which has no network: the program may have to be downloaded.
[[ $2 != proxy ]] || program=$("$here/../store/xen_program.sh" "$3" vchan-socket-proxy)
. "$here/../../examples/lab.sh"
path=/local/domain/1/data/vchan size=${RINGBACK_TRANSFER_MIB:-1024}M

lab_hypervisor "$1"
lab_guest 1
lab_guest 2
offered() { lab_as 2 xenstore-exists "$path/event-channel" 2>/dev/null; }

case $2 in
  pipe)
    send=("$program" send 2 "$path")
    receive=("$program" receive 1 "$path")
    ;;
  proxy)
    # It opens Xen's privcmd device too, to ask whether a domain that does not offer a channel is still alive: never here.
    devices=$(mktemp -d -p "$lab")
    mount -t tmpfs devices "$devices"
    mkdir "$devices/xen"
    ln -s /proc/self/fd "$devices/fd"
    for device in null urandom xen/privcmd; do
      touch "$devices/$device"
      mount --bind "/dev/$(basename "${device/xen\/privcmd/null}")" "$devices/$device"
    done
    mount --move "$devices" /dev
    send=("$program" --mode=server 2 "$path" -)
    receive=("$program" 1 "$path" -)
    ;;
esac
# Neither end of the proxy ends by itself: so a counted number of bytes, and open ends.
exec {sends}> >(exec ip netns exec domain-1 ringback-hypervisor exec 1 -- "${send[@]}" >/dev/null)
lab_wait 10 offered
exec {receives}< <(exec ip netns exec domain-2 ringback-hypervisor exec 2 -- "${receive[@]}" < <(exec sleep infinity))
head -c "$size" /dev/urandom | tee >(sha256sum >"$lab/sent") >&"$sends" &
head -c "$size" <&"$receives" | sha256sum >"$lab/received"
wait $!
lab_wait 5 test -s "$lab/sent"
cmp "$lab/sent" "$lab/received"
lab_stop
