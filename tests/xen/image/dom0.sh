# shellcheck shell=bash
# For suites, and dom0's init: guests, their commands, claims.
#
#   guest NAME ADDRESS         xl create; variables: kind=pv|pvh memory=256 vcpus=1 vif=LIBXL'S (none if empty) ip1=ADDRESS/LENGTH
#                              words=KERNEL'S extra=XL'S LINES ramdisk=FILE
#   ramdisk_with PROGRAM       prints an initramfs with that program of the project in /payload/bin
#   says NAME WORDS SECONDS    until its console has said so
#   in_guest ADDRESS COMMAND   over TCP
#   on_console NAME COMMAND [SECONDS]
#                              there, when it may have no network; prints what the console said for so long
#   until_true SECONDS COMMAND
#   reaches ADDRESS [SECONDS]  by ping
#   pids_of PROGRAM            prints them
#   daemon [options]           starts ringbackd; its log is /out/ringbackd.log, its pid in daemon_pid
#   end_daemon [SIGNAL]
#   claim WORDS COMMAND        the command, run in this shell, shows it. A verdict, and the last lines that it printed
#   verdicts                   the suite's last line: how many failed, as its exit status
#   bridge_up NAME ADDRESS     a bridge in dom0; open_vswitch_up likewise

note() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

guest() {
  local name=$1 address=$2
  {
    echo "name='$name'"
    echo "type='${kind:-pv}'"
    echo "memory=${memory:-256}"
    echo "vcpus=${vcpus:-1}"
    echo "kernel='/guest/vmlinux'"
    echo "ramdisk='${ramdisk:-/guest/guest.cpio}'"
    echo "extra='console=hvc0 quiet loglevel=4 mitigations=off init_on_alloc=0 tsc=reliable ${address:+ip0=$address/24} ${ip1:+ip1=$ip1/24} ${words-}'"
    [[ -z ${vif-} ]] || echo "vif=['${vif//;/\',\'}']"
    # Or Xen emulates rdtsc, as it distrusts the emulated clock, and Linux has one in each system call (of its stack's random offset).
    echo "tsc_mode='native'"
    echo "on_crash='preserve'"
    echo "on_reboot='restart'"
    [[ -z ${extra-} ]] || echo "$extra"
  } >"/tmp/$name.cfg"
  xl create -q "/tmp/$name.cfg"
}

# ramdisk_with PROGRAM: prints the file of a guest's initramfs that has this program of the project too, and its libraries
ramdisk_with() {
  {
    cat /guest/guest.cpio
    (cd / && { printf 'payload\npayload/bin\n'; find "payload/bin/$1" payload/lib; } | cpio -o -H newc 2>/dev/null)
  } >"/tmp/$1.cpio"
  echo "/tmp/$1.cpio"
}

until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    usleep 100000
  done
}

says() { until_true "$3" grep -q "$2" "/var/log/xen/console/guest-$1.log" 2>/dev/null; }
in_guest() {
  local address=$1 printed
  shift
  printed=$(printf '%s\necho "status=$?"\nexit\n' "$*" | socat -t300 - "TCP:$address:2323")
  grep -v '^status=' <<<"$printed"
  [[ $printed == *status=0 ]]
}
on_console() {
  local seconds=${3:-3}
  {
    sleep 0.5
    echo "$2"
    sleep "$seconds"
  } | timeout $((seconds + 3)) socat -t 1 - "EXEC:xl console $1,pty,raw,echo=0" | tr -d '\r'
}
pids_of() { grep -lx "$1" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3; }
reaches() { until_true "${2:-20}" ping -q -c 1 -W 1 "$1" >/dev/null 2>&1; }

daemon() {
  ringbackd "$@" >>/out/ringbackd.log 2>&1 &
  daemon_pid=$!
  until_true 10 grep -qs "serving the vifs" /out/ringbackd.log
}
end_daemon() {
  kill "-${1:-TERM}" "$daemon_pid"
  wait "$daemon_pid"
}
# What the daemon and its vifs hold. (Each guest has two ports in dom0 besides, of its console and its store.)
held() {
  local descriptors=("/proc/$daemon_pid/fd"/*) devices=(/sys/class/net/vif*)
  [[ -e ${devices[0]} ]] || devices=()
  echo "descriptors ${#descriptors[@]} ports $(($(lsevtchn 0 | grep -c -i 'interdomain') - 2 * ($(xl list | wc -l) - 2)))" \
    "mappings $(grep -c gntdev "/proc/$daemon_pid/maps") devices ${#devices[@]}" \
    "keys $(xenstore-ls -f /local/domain/0/backend/vif 2>/dev/null | grep -c 'frontend-id')"
}
# It holds what `held` said before
holds() { [[ $(held) == "$1" ]] || { held; return 1; }; }

bridge_up() {
  modprobe bridge
  ip link add "$1" type bridge stp_state 0 forward_delay 0
  ip address add "$2" dev "$1"
  ip link set "$1" up
}

# As ovs-ctl does, without Python.
open_vswitch_up() {
  modprobe openvswitch
  mkdir -p /run/openvswitch /var/log/openvswitch
  if [[ ! -e /run/openvswitch/db.sock ]]; then
    ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server /etc/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --no-chdir --log-file -vconsole:off
    ovs-vsctl --no-wait init
    ovs-vswitchd --pidfile --detach --no-chdir --log-file -vconsole:off
  fi
  ovs-vsctl add-br "$1"
  ip address add "$2" dev "$1"
  ip link set "$1" up
}

# driver_domain MEMORY COMMANDS: a domain `driver` made of dom0's own files, the suite's included, that runs these
driver_domain() {
  local mib=$1
  shift
  (cd / && find . -xdev \( -path ./guest -o -path ./out -o -path ./tmp -o -path ./run -o -path ./proc -o -path ./sys -o -path ./dev \
    -o -path ./var/log/xen -o -path ./save \) -prune -o -print | cpio -o -H newc 2>/dev/null) >/tmp/driver.cpio
  mkdir -p /tmp/empty/{proc,sys,dev,run,tmp,guest,out,save,var/log/xen}
  (cd /tmp/empty && find . | cpio -o -H newc 2>/dev/null) >>/tmp/driver.cpio
  # Xen cuts a PV guest's command line at 1024 bytes.
  memory=$mib ramdisk=/tmp/driver.cpio words="role=driver do=$(base64 -w0 <<<"$*")" extra=$'driver_domain=1\n'${extra-} guest driver ''
}

failures=0 claims=0
claim() {
  local said=$1 status=0 start=$EPOCHREALTIME took
  shift
  "$@" >/tmp/printed 2>&1 || status=$?
  claims=$((claims + 1))
  took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $start }")
  if ((status == 0)); then
    echo "ok $said ($took s)"
    tail -n 2 /tmp/printed | sed 's/^/   /'
  else
    failures=$((failures + 1))
    echo "FAILED $said ($took s, exit status $status)"
    uniq /tmp/printed | tail -n 20 | sed 's/^/   /'
  fi
}

# No kernel has complained: netfront "Disabled for further use", a fault, a warning.
kernels_are_content() {
  dmesg >/tmp/dmesg
  ! grep -HiE 'disabled for further use|BUG:|WARNING:|Call Trace|general protection|segfault|oom-killer|bad page' \
    /tmp/dmesg /var/log/xen/console/guest-*.log
}

verdicts() {
  claim "no kernel has complained" kernels_are_content
  echo "$((claims - failures)) of $claims claims hold"
  exit $((failures > 0))
}
