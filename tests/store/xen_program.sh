#!/bin/sh
# xen_program.sh FOLDER PROGRAM: prints where a program of Debian's xen-utils-4.17 is (xenstored). Installed it is used as it
# is; else the package is downloaded and unpacked below FOLDER, never installed. Exits 77, and says why, if it can't be had.
set -eu
folder=$1
program=usr/lib/xen-4.17/bin/$2
if [ -x "/$program" ]; then echo "/$program"; exit 0; fi

mkdir -p "$folder"
cd "$folder"
exec 9>lock
flock 9
if [ ! -x "$program" ]; then
  timeout 300 apt-get download -qq xen-utils-4.17 >download.log 2>&1 || true
  for package in xen-utils-4.17_*.deb; do
    if [ ! -e "$package" ]; then
      echo "NOT TESTED: 'apt-get download xen-utils-4.17' failed:" >&2
      cat download.log >&2
      exit 77
    fi
    dpkg -x "$package" .
  done
fi
if ! LC_ALL=C ldd "$program" | awk '/not found/ { missing = 1 } END { exit missing }'; then
  echo "NOT TESTED: $2 lacks libraries (Debian: libxenmisc4.17):" >&2
  ldd "$program" >&2
  exit 77
fi
echo "$folder/$program"
