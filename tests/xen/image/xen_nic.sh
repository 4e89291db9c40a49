#!/bin/bash
# xen_nic.sh CACHE: prints where QEMU for Xen is, of Debian's backports: the first whose xen_nic connects to Linux's
# netfront. Downloaded and unpacked in CACHE, never installed; this machine's apt sources are not touched.
set -euo pipefail
cache=$1/xen-nic
program=$cache/usr/libexec/xen-qemu-system-i386
if [[ ! -x $program ]]; then
  mkdir -p "$cache"/apt/{lists/partial,cache/archives/partial}
  # shellcheck disable=SC2016 # apt's own word
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  cat >"$cache/apt/sources" <<END
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main
END
  cat >"$cache/apt/configuration" <<END
Dir::Etc::SourceList "$cache/apt/sources";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$cache/apt/lists";
Dir::Cache "$cache/apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
  export APT_CONFIG=$cache/apt/configuration
  apt-get update -q >&2
  (cd "$cache" && apt-get download -q qemu-system-xen/bookworm-backports >&2)
  dpkg -x "$cache"/qemu-system-xen_*.deb "$cache"
  program=$(find "$cache" -name 'xen-qemu-system-i386' -type f | head -n 1)
fi
echo "$program"
