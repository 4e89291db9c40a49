#!/bin/bash
# boot.sh [options] SUITE: boots real Xen with dom0 in QEMU (no KVM needed), runs the script SUITE there, and exits with
# its status; 124 if it took too long, 125 if nothing came back.
#   --programs FOLDER   the project's programs (build/release/bin), which dom0 then has in its PATH
#   --with PROGRAM      another one, with its libraries
#   --kind KIND         pv or pvh: the suite's variable `kind` (pv). For pvh it runs in QEMU 7.2, for in 10 such guests don't start;
#                       10 starts processes three times as fast, of which xl and its hotplug scripts have hundreds
#   --words NAME=WORD.. other variables
#   --random MIB        so many random bytes in /payload/random, and in random.sum the SHA-256 of sixteen times these, which an
#                       emulated machine would sum up for as long as it transfers them
#   --guests KIND       pv1, pv2, pvh1, ...: start with guests g1, g2, ... that are up and have no vif yet; pv2v2: two of 2 vCPUs (none)
#   --vcpus N           of dom0 (1)
#   --timeout SECONDS   for all of it (300)
#   --out FOLDER        gets what the suite leaves in /out, and the logs (CACHE/out/SUITE-KIND)
#   --cache FOLDER      images and saved machines (RINGBACK_XEN_CACHE, or ~/.cache/ringback-xen)
# A machine with its guests up is saved when first made, and restored from then on: that takes two seconds.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
programs='' with='' words='' random=0 kind=pv guests=none vcpus=1 timeout=300 out='' cache=${RINGBACK_XEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringback-xen}
while [[ ${1:-} == --* ]]; do
  case $1 in
    --programs) programs=$2 ;;
    --with) with=$2 ;;
    --kind) kind=$2 ;;
    --words) words=$2 ;;
    --random) random=$2 ;;
    --guests) guests=$2 ;;
    --vcpus) vcpus=$2 ;;
    --timeout) timeout=$2 ;;
    --out) out=$2 ;;
    --cache) cache=$2 ;;
    *)
      echo "$0: unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done
[[ $kind == @(pv|pvh) ]] || {
  echo "$0: --kind pv or pvh, not '$kind'" >&2
  exit 2
}
suite=$1
name=$(basename "$suite" .sh)-$kind
out=${out:-$cache/out/$name}
image=$cache/image
mkdir -p "$cache/saved"
work=$(mktemp -d "$cache/run.XXXXXX")
child=''
# A second signal must not end this before the machine has been told.
trap 'trap "" INT TERM; [[ -z $child ]] || kill "$child" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 143' INT TERM
# In the background, so that this script ends, and the child with it, when it is told to.
finish() {
  local status=0
  wait "$child" || status=$?
  child=''
  return $status
}
# Whoever makes images and saved machines makes them for all.
exec 9>"$cache/lock"
flock -n 9 || { echo "$name: waiting for another run that makes images in $cache"; flock 9; }
"$here/image/build.sh" "$cache" 9>&- &
child=$!
finish

# Emulation: SMAP, rdtscp and AVX are masked, and the FPU is switched eagerly, or processes die at random; and what QEMU lacks
# and would warn of.
if [[ $kind == pvh ]]; then
  qemu=(qemu-system-x86_64)
  processor=max,-smap,-smep,-rdtscp,-avx,-avx2,-f16c,-fma,-vaes,-vpclmulqdq,-erms
else
  "$here/image/backports.sh" "$cache" qemu-system-x86 qemu-system-data 9>&- &
  child=$!
  finish
  qemu=("$cache/backports/usr/bin/qemu-system-x86_64" -L "$cache/backports/usr/share/qemu")
  if ldd "${qemu[0]}" | grep 'not found' >&2; then
    echo "QEMU needs these libraries, which are not installed: add their packages to packaging/packages, xen:" >&2
    exit 1
  fi
  processor=EPYC,-smap,-smep,-rdtscp,-avx,-avx2,-f16c,-fma,-erms,-fxsr-opt,-misalignsse,-osvw,-topoext,-nrip-save,-xsavec
fi
xen_words="console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M dom0_max_vcpus=$vcpus noreboot=0 no-real-mode cpuidle=0
 spec-ctrl=no spec-ctrl=eager-fpu=yes xpti=no loglvl=warning guest_loglvl=none"
# dom0 trusts the emulated clock, as it would a real one; or each clock_gettime is a system call after some time.
dom0_words="console=hvc0 quiet loglevel=4 mitigations=off init_on_alloc=0 tsc=reliable panic=1 guests=$guests"

# machine FOLDER: QEMU's options, with the two disks in FOLDER; $xen, $linux and $initramfs are files
machine() {
  # shellcheck disable=SC2054 # QEMU has the commas
  options=(-name ringback-xen -machine pc -accel "tcg,thread=multi,tb-size=1024" -cpu "$processor" -smp "$((vcpus + 1))"
    -m 2560 -nodefaults -display none -vga none -nic none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4
    -drive "if=none,id=d0,file=$1/suite.disk,format=raw,cache=unsafe" -device virtio-blk-pci,drive=d0
    -drive "if=none,id=d1,file=$1/out.disk,format=raw,cache=unsafe" -device virtio-blk-pci,drive=d1
    -kernel "$xen" -append "${xen_words//$'\n'/}" -initrd "$linux $dom0_words,$initramfs")
  [[ ! -d $1 ]] || truncate -s 256M "$1/suite.disk" "$1/out.disk"
}

monitor() { printf '%s\n' "$@" | socat -t2 - "UNIX-CONNECT:$work/monitor"; }

# save FILE: boots, waits until the guests are up, and saves the machine
save() {
  local deadline=$((SECONDS + 300))
  echo "$name: making a machine with guests $guests, once"
  machine "$work"
  "${qemu[@]}" "${options[@]}" -serial "file:$work/console" -monitor "unix:$work/monitor,server,nowait" \
    </dev/null >"$work/errors" 2>&1 9>&- &
  child=$!
  until_it() { # COMMAND...: until that succeeds
    until "$@"; do
      if ((SECONDS > deadline)) || ! kill -0 "$child" 2>/dev/null; then
        tail -n 30 "$work/console" "$work/errors" >&2
        echo "$name: no machine with guests $guests could be made" >&2
        exit 125
      fi
      sleep 0.2
    done
  }
  until_it grep -qs READY-FOR-SUITE "$work/console"
  sleep 1 # until it is idle
  monitor 'migrate_set_parameter max-bandwidth 4G' 'migrate_set_parameter downtime-limit 20000' \
    "migrate \"exec:cat > $work/saved\"" >/dev/null
  is_saved() { monitor 'info migrate' | grep -q 'Migration status: completed'; }
  until_it is_saved
  monitor quit >/dev/null || true
  finish || true
  mv "$work/saved" "$1"
}

xen=$image/xen.elf linux=$image/vmlinux initramfs=$image/dom0.cpio
machine @
key=$({
  printf '%s\n' "${options[@]}"
  "${qemu[0]}" --version
  cat "$image/key"
} | sha256sum | cut -c 1-12)
saved=$cache/saved/$guests-$vcpus
[[ $kind == pv ]] || saved+=-$kind
if [[ ! -s $saved-$key ]]; then
  rm -f "$saved-"????????????
  save "$saved-$key"
fi
# Open, so that whoever makes others meanwhile does not take these away.
exec {xen_file}<"$xen" {linux_file}<"$linux" {initramfs_file}<"$initramfs" {saved_file}<"$saved-$key" 9>&-
xen=/proc/self/fd/$xen_file linux=/proc/self/fd/$linux_file initramfs=/proc/self/fd/$initramfs_file

# The disk with the suite: a line, and at 1 MiB an archive.
mkdir "$work/payload" "$work/payload/bin" "$work/payload/lib"
cp "$suite" "$work/payload/suite"
cp -r "$here/../../packaging/scripts" "$work/payload/"
# To compare with: the embedded hypervisor and store, and the scripts that test them.
mkdir "$work/payload/tests"
cp "$here/../conformance/run.sh" "$here/../store/debian_tools.sh" "$work/payload/tests/"
[[ ! -d $programs/../embedded ]] || install -D -t "$work/payload/embedded" "$programs"/../embedded/*.so.1
printf 'export kind=%s %s\n' "$kind" "$words" >"$work/payload/words"
for program in "$programs"/{ringbackd,ringback,ringback-netfront,ringback-hypervisor,store_server_alone,conformance,udp_sweep,copies_seen.so} "$with"; do
  [[ -f $program && -x $program ]] || continue
  cp "$program" "$work/payload/bin/"
  ldd "$program" | grep -oE '/[^ ]+\.so[^ ]*' | grep -v ld-linux | while read -r library; do
    cp -Ln "$library" "$work/payload/lib/"
  done
done
if ((random)); then
  head -c "${random}M" /dev/urandom >"$work/payload/random"
  for _ in {1..16}; do cat "$work/payload/random"; done | sha256sum >"$work/payload/random.sum"
fi
machine "$work"
tar -cf "$work/archive" -C "$work/payload" .
dd if="$work/archive" of="$work/suite.disk" bs=1M seek=1 conv=notrunc status=none
printf 'RINGBACK-SUITE %d %d\n' "$(stat -c %s "$work/archive")" "$(date +%s)" |
  dd of="$work/suite.disk" conv=notrunc status=none

status=0
left=$work/left
mkdir "$left"
exec {console}> >(sed -u 's/\r//g' | tee "$left/console.log")
printer=$!
timeout -k 5 "$timeout" "${qemu[@]}" "${options[@]}" -incoming "fd:$saved_file" \
  -chardev stdio,id=console,signal=off,mux=off -serial chardev:console -monitor none </dev/null >&$console 2>&1 {console}>&- &
child=$!
exec {console}>&-
finish || status=$?
wait $printer
tar -xf "$work/out.disk" -C "$left" 2>/dev/null || true
if [[ -s $left/status ]]; then
  status=$(cat "$left/status")
elif ((status == 124 || status == 137)); then
  status=124
else
  status=125
fi
rm -rf "$out"
mkdir -p "$out"
cp -r "$left/." "$out"
exit "$status"
