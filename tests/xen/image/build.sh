#!/bin/bash
# build.sh CACHE: what boots real Xen in QEMU, made once from Debian's packages and kept in CACHE/image:
#   xen.elf      the hypervisor (Debian's package, unpacked)
#   vmlinux      Debian's kernel, for dom0 and guests
#   guest.cpio   a guest's initramfs: busybox, netfront, iperf3, ethtool
#   dom0.cpio    dom0's: the Xen tools, bridge, Open vSwitch; the guest's kernel and initramfs
# Nothing becomes this machine's own kernel or boot file. Made again when a file of this folder has changed.
set -euo pipefail
cache=$1
here=$(realpath "$(dirname "$0")")
image=$cache/image
packages=$cache/packages
unpacked=$cache/unpacked
xen_programs=$unpacked/usr/lib/xen-4.17/bin
mkdir -p "$image" "$packages" "$unpacked"

key=$(cat "$here"/* | sha256sum)
if [[ -s $image/dom0.cpio && $(cat "$image/key" 2>/dev/null) == "$key" ]]; then exit 0; fi
rm -f "$image"/*

kernel_package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
kernel=${kernel_package#linux-image-}
modules=$unpacked/lib/modules/$kernel

# package NAME: downloaded and unpacked, never installed
package() {
  if ! compgen -G "$packages/$1_*.deb" >/dev/null; then
    (cd "$packages" && apt-get download -qq "$1") || {
      echo "cannot download the package $1 (does apt reach its mirror?)" >&2
      return 1
    }
  fi
  [[ -e $packages/$1.unpacked ]] || dpkg -x "$packages/$1"_*.deb "$unpacked"
  touch "$packages/$1.unpacked"
}

# copy_program ROOT FILE [PLACE]: with the libraries that it needs
copy_program() {
  local root=$1 file=$2 place=${3:-$2} libraries library
  mkdir -p "$root/$(dirname "$place")"
  cp -L --remove-destination "$file" "$root/$place"
  libraries=$(ldd "$file" 2>/dev/null || true) # which fails if it needs none
  if grep 'not found' <<<"$libraries" >&2; then
    echo "$file needs these libraries, which are not installed: add their packages to packaging/packages, xen:" >&2
    exit 1
  fi
  grep -oE '/[^ ]+\.so[^ ]*' <<<"$libraries" | while read -r library; do
    [[ -e $root/$library ]] || { mkdir -p "$root/$(dirname "$library")"; cp -L "$library" "$root/$library"; }
  done
}

# copy_command ROOT PLACE NAME...: instead of busybox's
copy_command() {
  local root=$1 place=$2 name
  shift 2
  for name; do
    rm -f "$root/bin/$name"
    copy_program "$root" "$(command -v "$name")" "$place/$name"
  done
}

# copy_modules ROOT NAME...: with what they depend on
copy_modules() {
  local root=$1 name file place
  shift
  for name; do
    modprobe -d "$unpacked" -S "$kernel" --show-depends "$name"
  done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
    place=$root/${file#"$unpacked/"}
    mkdir -p "$(dirname "$place")"
    cp "$file" "$place"
    strip -d "$place"
  done
  cp "$modules/modules.builtin" "$modules/modules.order" "$root/lib/modules/$kernel/"
  depmod -b "$root" "$kernel"
}

skeleton() {
  local root=$1 name
  rm -rf "$root"
  mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,run/lock,tmp,root,mnt,usr/bin,usr/sbin,usr/lib,lib64,var/log,lib/modules}
  ln -s /run "$root/var/run"
  ln -s /run/lock "$root/var/lock"
  cp /bin/busybox "$root/bin/busybox"
  for name in $(/bin/busybox --list); do [[ $name == busybox ]] || ln -sf /bin/busybox "$root/bin/$name"; done
  ln -sf /bin/busybox "$root/sbin/modprobe"
  echo 'root::0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
}

archive() { (cd "$1" && find . | sort | cpio -o -H newc -R 0:0 --quiet) >"$2"; }

for name in "$kernel_package" xen-hypervisor-4.17-amd64 xen-utils-4.17 xen-utils-common xenstore-utils \
  openvswitch-switch openvswitch-common; do
  package "$name"
done
[[ -s $modules/modules.dep ]] || depmod -b "$unpacked" "$kernel"

echo "xen.elf, vmlinux"
zcat "$unpacked/boot/xen-4.17-amd64.gz" >"$image/xen.elf"
# The payload of the bzImage: unpacking it under emulation would cost seconds. xz stops at the end of its stream, and
# what it leaves unread is no failure.
offset=$(LC_ALL=C grep -obUaP '\xfd7zXZ\x00' "$unpacked/boot/vmlinuz-$kernel" | awk -F: 'NR == 1 { print $1 }')
{ tail -c "+$((offset + 1))" "$unpacked/boot/vmlinuz-$kernel" || true; } 2>/dev/null |
  { xz -dc 2>/dev/null || true; } >"$image/vmlinux"
readelf -h "$image/vmlinux" >/dev/null

echo "guest.cpio"
root=$cache/root-guest
skeleton "$root"
copy_modules "$root" xen-netfront xen-gntalloc xen-gntdev xen-evtchn xenfs tun af_packet
copy_command "$root" /usr/bin iperf3 socat
copy_command "$root" /usr/sbin ethtool ip
copy_command "$root" /bin bash ping
install -m 755 "$here/guest-init" "$root/init"
archive "$root" "$image/guest.cpio"

echo "dom0.cpio"
root=$cache/root-dom0
skeleton "$root"
copy_modules "$root" xen-netback xen-netfront xen-gntdev xen-gntalloc xen-evtchn xenfs xen-privcmd bridge tun veth 8021q \
  af_packet virtio_pci virtio_blk openvswitch
copy_command "$root" /usr/bin iperf3 tcpdump socat strace
copy_command "$root" /usr/sbin ip tc bridge ethtool
copy_command "$root" /bin bash dd tar ping
for name in xl xenstored xenconsoled xenconsole xen-init-dom0 xentop lsevtchn libxl-save-helper; do
  copy_program "$root" "$xen_programs/$name" "/usr/lib/xen-4.17/bin/$name"
done
for name in xl xenstored xenconsoled xentop; do ln -sf "/usr/lib/xen-4.17/bin/$name" "$root/usr/sbin/$name"; done
copy_program "$root" "$unpacked/usr/bin/xenstore" /usr/bin/xenstore
for name in chmod exists list ls read rm watch write; do ln -sf xenstore "$root/usr/bin/xenstore-$name"; done
# Loaded when a thread is cancelled, as xl does at its end.
copy_program "$root" /lib/x86_64-linux-gnu/libgcc_s.so.1
for library in /usr/lib/x86_64-linux-gnu/libxen*.so.*; do copy_program "$root" "$library"; done
copy_program "$root" "$unpacked/usr/lib/openvswitch-switch/ovs-vswitchd" /usr/sbin/ovs-vswitchd
copy_program "$root" "$unpacked/usr/sbin/ovsdb-server" /usr/sbin/ovsdb-server
for name in ovs-vsctl ovs-appctl ovsdb-tool; do copy_program "$root" "$unpacked/usr/bin/$name" "/usr/bin/$name"; done
mkdir -p "$root"/etc/{xen,openvswitch} "$root"/var/{lib/xen/dump,lib/xenstored,log/xen/console} "$root"/run/xen \
  "$root"/usr/share/openvswitch "$root"/{guest,payload,out,save}
cp "$unpacked"/usr/share/openvswitch/*.ovsschema "$root/usr/share/openvswitch/"
cp -a "$unpacked/etc/xen/scripts" "$root/etc/xen/"
echo 'autoballoon="off"' >"$root/etc/xen/xl.conf"
install -m 755 "$here/dom0-init" "$root/init"
install -m 644 "$here/dom0.sh" "$root/lib/dom0.sh"
cp "$image/guest.cpio" "$image/vmlinux" "$root/guest/"
archive "$root" "$image/dom0.cpio"
rm -rf "$cache/root-guest"
echo "$key" >"$image/key"
