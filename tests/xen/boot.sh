#!/bin/bash
# boot.sh [options] SUITE: boots real Xen with dom0 in QEMU (no KVM needed), runs the script SUITE there, and exits with
# its status; 124 if it took too long, 125 if nothing came back.
#   --programs FOLDER   the project's programs (build/release/bin), which dom0 then has in its PATH
#   --with PROGRAM      another one, with its libraries
#   --words NAME=WORD.. variables for the suite
#   --guests KIND       pv1, pv2, pvh1, ...: start with guests g1, g2, ... that are up and have no vif yet (none)
#   --vcpus N           of dom0 (1)
#   --timeout SECONDS   for all of it (300)
#   --out FOLDER        gets what the suite leaves in /out, and the logs (CACHE/out/SUITE)
#   --cache FOLDER      images and saved machines (RINGBACK_XEN_CACHE, or ~/.cache/ringback-xen)
# A machine with its guests up is saved when first made, and restored from then on: that takes two seconds.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
programs='' with='' words='' guests=none vcpus=1 timeout=300 out='' cache=${RINGBACK_XEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringback-xen}
while [[ ${1:-} == --* ]]; do
  case $1 in
    --programs) programs=$2 ;;
    --with) with=$2 ;;
    --words) words=$2 ;;
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
suite=$1
name=$(basename "$suite" .sh)
out=${out:-$cache/out/$name}
image=$cache/image
mkdir -p "$cache/saved"
work=$(mktemp -d "$cache/run.XXXXXX")
qemu=''
trap '[[ -z $qemu ]] || kill "$qemu" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 143' INT TERM
exec 9>"$cache/lock" # whoever makes images and saved machines makes them for all
flock 9
"$here/image/build.sh" "$cache"
rm -rf "$out"
mkdir -p "$out"

# Emulation: SMAP, rdtscp and AVX are masked, and the FPU is switched eagerly, or processes die at random.
processor=max,-smap,-smep,-rdtscp,-avx,-avx2,-f16c,-fma,-vaes,-vpclmulqdq,-erms
xen_words="console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M dom0_max_vcpus=$vcpus noreboot=0 no-real-mode cpuidle=0
 spec-ctrl=no spec-ctrl=eager-fpu=yes xpti=no loglvl=warning guest_loglvl=none"
dom0_words="console=hvc0 quiet loglevel=4 mitigations=off init_on_alloc=0 panic=1 guests=$guests"

# machine FOLDER: QEMU's options, with the two disks in FOLDER
machine() {
  # shellcheck disable=SC2054 # QEMU has the commas
  options=(-name ringback-xen -machine pc -accel "tcg,thread=multi,tb-size=1024" -cpu "$processor" -smp "$((vcpus + 1))"
    -m 2560 -nodefaults -display none -vga none -nic none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4
    -drive "if=none,id=d0,file=$1/suite.disk,format=raw,cache=unsafe" -device virtio-blk-pci,drive=d0
    -drive "if=none,id=d1,file=$1/out.disk,format=raw,cache=unsafe" -device virtio-blk-pci,drive=d1
    -kernel "$image/xen.elf" -append "${xen_words//$'\n'/}" -initrd "$image/vmlinux $dom0_words,$image/dom0.cpio")
  [[ ! -d $1 ]] || truncate -s 256M "$1/suite.disk" "$1/out.disk"
}

monitor() { printf '%s\n' "$@" | socat -t2 - "UNIX-CONNECT:$work/monitor"; }

# save FILE: boots, waits until the guests are up, and saves the machine
save() {
  local deadline=$((SECONDS + 300))
  echo "$name: making a machine with guests $guests, once"
  machine "$work"
  qemu-system-x86_64 "${options[@]}" -serial "file:$work/console" -monitor "unix:$work/monitor,server,nowait" \
    </dev/null >"$work/errors" 2>&1 &
  qemu=$!
  until grep -qs READY-FOR-SUITE "$work/console"; do
    if ((SECONDS > deadline)) || ! kill -0 "$qemu" 2>/dev/null; then
      tail -n 30 "$work/console" "$work/errors" >&2
      return 125
    fi
    sleep 0.2
  done
  sleep 1 # until it is idle
  monitor 'migrate_set_parameter max-bandwidth 4G' 'migrate_set_parameter downtime-limit 20000' \
    "migrate \"exec:cat > $1.new\"" >/dev/null
  until monitor 'info migrate' | grep -qE 'Migration status: (completed|failed)'; do sleep 0.2; done
  monitor quit >/dev/null || true
  wait "$qemu" || true
  qemu=''
  mv "$1.new" "$1"
}

machine @
key=$({
  printf '%s\n' "${options[@]}"
  cat "$image/key"
} | sha256sum | cut -c 1-12)
saved=$cache/saved/$guests-$vcpus-$key
if [[ ! -s $saved ]]; then
  rm -f "$cache/saved/$guests-$vcpus-"*
  save "$saved"
fi
exec 9>&-

# The disk with the suite: a line, and at 1 MiB an archive.
mkdir "$work/payload" "$work/payload/bin" "$work/payload/lib"
cp "$suite" "$work/payload/suite"
cp -r "$here/../../packaging/scripts" "$work/payload/"
printf 'export %s\n' "$words" >"$work/payload/words"
for program in "$programs"/{ringbackd,ringback,ringback-netfront,conformance,udp_sweep} "$with"; do
  [[ -f $program && -x $program ]] || continue
  cp "$program" "$work/payload/bin/"
  ldd "$program" | grep -oE '/[^ ]+\.so[^ ]*' | grep -v ld-linux | while read -r library; do
    cp -Ln "$library" "$work/payload/lib/"
  done
done
machine "$work"
tar -cf "$work/archive" -C "$work/payload" .
dd if="$work/archive" of="$work/suite.disk" bs=1M seek=1 conv=notrunc status=none
printf 'RINGBACK-SUITE %d %d\n' "$(stat -c %s "$work/archive")" "$(date +%s)" |
  dd of="$work/suite.disk" conv=notrunc status=none

status=0
exec {console}> >(sed -u 's/\r//g' | tee "$out/console.log")
printer=$!
timeout -k 5 "$timeout" qemu-system-x86_64 "${options[@]}" -incoming "exec:cat $saved" \
  -chardev stdio,id=console,signal=off,mux=off -serial chardev:console -monitor none </dev/null >&$console 2>&1 {console}>&- &
qemu=$!
exec {console}>&-
wait $qemu || status=$? # in the background, so that this script ends, and QEMU with it, when it is told to
qemu=''
wait $printer
tar -xf "$work/out.disk" -C "$out" 2>/dev/null || true
if [[ -s $out/status ]]; then exit "$(cat "$out/status")"; fi
((status == 124 || status == 137)) && exit 124
exit 125
