# shellcheck shell=bash
# For suites, and dom0's init: guests, their commands, claims.
#
#   guest NAME ADDRESS         xl create; variables: kind=pv|pvh memory=160 vcpus=1 vif=LIBXL'S (none if empty) ip1=ADDRESS/LENGTH
#                              words=KERNEL'S start_words=KERNEL'S (to start sooner) extra=XL'S LINES
#                              ramdisk=FILE. Half of its memory is for files.
#                              A PVH one has processor 1; what is there then, 0
#   ramdisk_with PROGRAM [FILE]
#                              prints an initramfs with that program of the project in /payload/bin, and that file in /payload
#   says NAME WORDS SECONDS    until its console has said so, since it was last started
#   in_guest ADDRESS COMMAND   over TCP; variable: patience=300 seconds without a line
#   on_console NAME COMMAND [SECONDS]
#                              there, when it may have no network; for so long at most (20)
#   until_true SECONDS COMMAND
#   reaches ADDRESS [SECONDS]  by ping
#   loses_nothing ADDRESS [COUNT]
#                              likewise
#   tcpdump_sees DEVICE        a ping to 10.0.0.2 on it, both ways
#   received                   passes iperf3's sum on; true if there were bytes
#   flows_both_ways DEVICE     until there have been 1 MB more each way
#   start_stream FROM TO       a TCP connection that carries bytes until `stream_arrives FROM TO`; addresses
#   stream_goes_on FROM TO     until another 64 KiB have come; false after a minute
#   no_checksum_errors ADDRESS...
#                              at these places
#   pids_of PROGRAM            prints them
#   daemon [options]           starts ringbackd; its log is appended to /out/ringbackd.log, its pid is in daemon_pid
#   end_daemon [SIGNAL]
#   held, holds BEFORE         what the daemon holds, and whether that is what it was
#   xl_clean COMMAND           an xl that printed no error and did not wait in vain
#   reboots NAME, shuts_down NAME, saved NAME
#                              by xl_clean, to the end; `saved` restores it too. What the xl that watches the guest says after
#                              `reboots` the verdicts judge
#   claim WORDS COMMAND        the command, run in this shell, shows it. A verdict, and the last lines that it printed. Its status
#   keep_logs WORDS            what xl has logged of guests up to now, to be judged too
#   may_log=WORDS              of a daemon's error that belongs to a claim
#   verdicts                   the suite's last line: how many failed, as its exit status
#   bridge_up NAME ADDRESS     a bridge in dom0; open_vswitch_up likewise
set -uo pipefail

note() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

# Pinned, for QEMU 7.2 crashes PVH domains that share a processor with PV ones. The initcall left out only tests itself. Lock
# prefixes are left in, for an emulator translates code that is patched anew: that was 1.3 s of a start. (Not in guests that
# are saved with their machine: these are measured.)
guest() {
  local name=$1 address=$2 each
  if [[ ${kind-} == pvh ]]; then
    for each in $(xl list | awk 'NR > 1 { print $(NF - 4) }'); do xl vcpu-pin "$each" all 0; done
  fi
  {
    echo "name='$name'"
    echo "type='${kind:-pv}'"
    echo "memory=${memory:-160}"
    echo "vcpus=${vcpus:-1}"
    echo "kernel='/guest/vmlinux'"
    echo "ramdisk='${ramdisk:-/guest/guest.cpio}'"
    echo "extra='console=hvc0 quiet loglevel=5 mitigations=off init_on_alloc=0 tsc=reliable cryptomgr.notests initcall_blacklist=crypto_kdf108_init ${address:+ip0=$address/24} ${ip1:+ip1=$ip1/24} ${start_words-noreplace-smp rodata=off} ${words-}'"
    [[ ${kind-} != pvh ]] || echo "cpus='1'"
    [[ -z ${vif-} ]] || echo "vif=['${vif//;/\',\'}']"
    # Or Xen emulates rdtsc, as it distrusts the emulated clock, and Linux has one in each system call (of its stack's random offset).
    echo "tsc_mode='native'"
    echo "on_crash='preserve'"
    echo "on_reboot='restart'"
    [[ -z ${extra-} ]] || echo "$extra"
  } >"/tmp/$name.cfg"
  mark_console "$name"
  xl create -q "/tmp/$name.cfg"
}

# Its libraries too.
ramdisk_with() {
  {
    cat /guest/guest.cpio
    (cd / && { printf 'payload\npayload/bin\n'; find "payload/bin/$1" payload/lib ${2:+"payload/$2"}; } | cpio -o -H newc 2>/dev/null)
  } >"/tmp/$1.cpio"
  echo "/tmp/$1.cpio"
}

until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    rest 0.1
  done
}

# What is done over and over is done by Bash itself: a process more costs an emulated dom0 tens of milliseconds.
[[ -p /tmp/never ]] || mkfifo /tmp/never
rest() { read -rt "$1" <>/tmp/never || true; }
said_since() { # FILE LINES PATTERN: behind so many lines
  local lines text
  mapfile -s "$2" lines 2>/dev/null <"$1" || return
  printf -v text '%s' "${lines[@]}"
  # shellcheck disable=SC2053 # a pattern
  [[ $text == *$3* ]]
}
length() { # FILE: sets `from`, in whole lines
  local lines=()
  [[ ! -e $1 ]] || mapfile lines <"$1"
  from=${#lines[@]}
  [[ $from == 0 || ${lines[-1]} == *$'\n' ]] || from=$((from - 1))
}
mark_console() { # `says` looks at what comes from here on
  local from
  length "/var/log/xen/console/guest-$1.log"
  echo "$from" >"/run/$1.from"
}
says() {
  local from
  read -r from <"/run/$1.from"
  until_true "$3" said_since "/var/log/xen/console/guest-$1.log" "$from" "$2"
}
# Until the line that says how it ended, not until the connection ends: socat in the guest now and then misses that.
in_guest() {
  local address=$1 line=''
  shift
  {
    printf 'set -o pipefail\n%s\necho "status=$?"\nexit\n' "$*" >&8
    while IFS= read -r -t "${patience:-300}" line <&8 && [[ $line != status=* ]]; do printf '%s\n' "$line"; done
  } 8<>"/dev/tcp/$address/2323"
  [[ $line == status=0 ]]
}
# The shell there obeys line by line and echoes nothing; what its console had to say before is not the command's.
on_console() {
  local mark=END-${EPOCHREALTIME/[.,]/} line begun='' end=$((SECONDS + ${3:-20}))
  {
    echo "echo $mark=\$?; eval ${2@Q}; echo $mark=\$?" >&9
    while ((SECONDS < end)) && IFS= read -r -t $((end - SECONDS)) line <&9; do
      line=${line%$'\r'}
      if [[ $line == *"$mark="[0-9]* ]]; then
        [[ -z $begun ]] || break
        begun=yes
      elif [[ -n $begun ]]; then printf '%s\n' "$line"; fi
      line=''
    done
  } 9<>"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")" && [[ $line == *"$mark=0" ]]
}
pids_of() { grep -lx "$1" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3; }
reaches() { until_true "${2:-20}" ping -q -c 1 -W 0.3 "$1" >/dev/null 2>&1; }
loses_nothing() { ping -q -c "${2:-20}" -i 0.1 "$1" | grep ' 0% packet loss'; }
tcpdump_sees() {
  rm -f /tmp/dump # of the one before
  timeout 20 tcpdump -Z root -n -c 3 -i "$1" icmp >/tmp/dump 2>&1 &
  local dump=$!
  until_true 10 grep -qs 'listening on' /tmp/dump
  ping -q -c 3 -i 0.2 10.0.0.2 >/dev/null
  wait $dump
  cat /tmp/dump
  grep 'ICMP echo request' /tmp/dump && grep 'ICMP echo reply' /tmp/dump
}
# To be run in a guest: until 5 MB have come to it, which is more than what acknowledges.
# shellcheck disable=SC2016,SC2034 # the guest's own; for suites
receives='bytes=/sys/class/net/eth0/statistics/rx_bytes
  read -r before <$bytes
  for ((i = 0, now = before; now < before + 5000000 && i < 300; ++i)); do sleep 0.1; read -r now <$bytes; done
  echo "$((now - before)) bytes"; ((now >= before + 5000000))'
# iperf3 prints its sum also when it was cut short.
received() { awk '/receiver/ { print; for (i = 2; i <= NF; ++i) some += $i ~ /Bytes$/ && $(i - 1) > 0 } END { exit !some }'; }

flows_both_ways() {
  local counters=/sys/class/net/$1/statistics from to come gone
  read -r from <"$counters/rx_bytes" && read -r to <"$counters/tx_bytes" || return
  a_megabyte_more() {
    read -r come <"$counters/rx_bytes" && read -r gone <"$counters/tx_bytes" && ((come > from + 1000000 && gone > to + 1000000))
  }
  until_true 20 a_megabyte_more && echo "$((come - from)) bytes have come from there, $((gone - to)) have gone there"
}
at() { if [[ $1 == 10.0.0.1 ]]; then bash -o pipefail -c "$2"; else in_guest "$@"; fi; } # 10.0.0.1 is here
# IPv4's counters come in pairs of lines, names and numbers; IPv6's one a line (TCP's are in the former).
no_checksum_errors() {
  local place
  for place; do at "$place" 'cat /proc/net/snmp /proc/net/snmp6' || return 1; done | awk -v places=$# '
    /^(Udp|Icmp)6InCsumErrors / { sum += $2; ++seen }
    !/^(Tcp|Udp|Icmp):/ { next }
    $2 ~ /^[A-Za-z]/ { for (i = 2; i <= NF; ++i) name[i] = $i; next }
    { for (i = 2; i <= NF; ++i) if (name[i] == "InCsumErrors") { sum += $i; ++seen } }
    END { print sum + 0, "checksum errors in", seen, "counters"; exit !(sum == 0 && seen == 5 * places) }'
}
# It rests after each 64 KiB, or nobody else would have much of dom0's one processor.
declare -A stream_jobs=()
start_stream() {
  local name=$1-$2 port=$((7100 + ${1##*.} * 10 + ${2##*.})) patience=1800
  at "$2" "rm -f /tmp/to-$name; { echo \$BASHPID >/tmp/pid-$name; exec socat -u -b 262144 TCP-LISTEN:$port,reuseaddr -; } |
    tee >(wc -c >/tmp/length-$name) | sha256sum >/tmp/to-$name" &
  stream_jobs[$name]=$!
  at "$1" "rm -f /tmp/enough-$name /tmp/from-$name; bytes=\$(head -c 49152 /dev/urandom | base64 -w 0)
    while [ ! -e /tmp/enough-$name ]; do printf %s \"\$bytes\"; read -rt 0.5 <>/tmp/never || true; done | tee >(sha256sum >/tmp/from-$name) |
      socat -u -b 262144 - TCP:$2:$port,retry=100,interval=0.1" &
  stream_jobs[$name]+=" $!"
}
stream_goes_on() {
  at "$2" "look() {
      read -r pid </tmp/pid-$1-$2
      while read -r name bytes; do [[ \$name != wchar: ]] || break; done </proc/\$pid/io
    }
    look
    for ((end = bytes + 65536, i = 0; bytes < end && i < 300; ++i)); do
      read -rt 0.2 <>/tmp/never
      look
    done
    ((bytes >= end))" || { echo "the stream from $1 to $2 does not go on"; return 1; }
}
stream_arrives() {
  local name=$1-$2 job
  at "$1" "touch /tmp/enough-$name" || return 1
  for job in ${stream_jobs[$name]}; do wait "$job" || return 1; done
  sleep 0.5 # until tee's other half has written
  echo "$(at "$2" "cat /tmp/length-$name") bytes"
  (($(at "$2" "cat /tmp/length-$name") >= 1 << 20)) && [[ $(at "$2" "cat /tmp/to-$name") == "$(at "$1" "cat /tmp/from-$name")" ]]
}

daemon() {
  local from
  length /out/ringbackd.log
  ringbackd "$@" >>/out/ringbackd.log 2>&1 &
  daemon_pid=$!
  until_true 10 said_since /out/ringbackd.log "$from" "serving the vifs"
}
end_daemon() {
  kill "-${1:-TERM}" "$daemon_pid"
  wait "$daemon_pid"
}
# What a daemon and its vifs hold in its domain. A tap is known by its alias, whatever its name is.
held_here() {
  local each line mappings=0 taps=0 kib maps descriptors=("/proc/$daemon_pid/fd"/*) links kept aliases
  shopt -s nullglob
  links=(/sys/class/net/vif*) kept=(/run/ringbackd/*) aliases=(/sys/class/net/*/ifalias)
  shopt -u nullglob
  mapfile maps <"/proc/$daemon_pid/maps"
  for each in "${maps[@]}"; do [[ $each != *gntdev* ]] || mappings=$((mappings + 1)); done
  for each in "${aliases[@]}"; do ! read -r line 2>/dev/null <"$each" || [[ $line != 'ringback vif '* ]] || taps=$((taps + 1)); done
  kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status")
  echo "descriptors ${#descriptors[@]} mappings $mappings taps $taps links ${#links[@]} kept ${#kept[@]} KiB $kib"
}
# What the store has of the vifs of a backend's domain, of all frontends, and of libxl; no number if it doesn't answer.
vif_nodes() {
  xenstore-ls -f >/tmp/nodes &&
    grep -cE "^/(local/domain/$1/backend|local/domain/[0-9]+/device|libxl/[0-9]+/device)/vif/" /tmp/nodes
}
# (Each guest has two ports in dom0 besides, of its console and its store.)
held() {
  local nodes
  lsevtchn 0 >/tmp/channels || return
  nodes=$(vif_nodes 0)
  echo "ports $(awk '/[Ii]nterdomain/ { ++ports } /^\/local\/domain\/[1-9][0-9]* = / { ports -= 2 } END { print ports + 0 }' /tmp/channels /tmp/nodes)" \
    "nodes $nodes $(held_here)"
}
# holds BEFORE [COMMAND]: this command, or `held`, prints what is held now. Of memory a daemon that has served vifs keeps some
# 3 MiB: code that it has run, heap that is free again. The buffers of a busy vif are 1 MiB: those of several show.
holds() {
  local now
  now=$("${2:-held}") || return
  echo "$now (before: $1)"
  [[ ${now% *} == "${1% *}" ]] && ((${now##* } <= ${1##* } + 4096))
}

bridge_up() {
  modprobe bridge
  ip link add "$1" type bridge
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

no_ports() { ! ovs-vsctl list-ports xenbr0 | grep . && ovs-vsctl br-exists xenbr0; } # in Open vSwitch's bridge, which is there

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

none_of() { # GREP'S WORDS: there are no such lines, which it could look for
  local status=0
  grep "$@" || status=$?
  ((status == 1))
}
# Neither an error that libxl goes on after nor the 10 s that it waits for a vif in vain are in xl's exit status. The first
# is in what it prints, the second among its debug lines.
xl() { command xl ${verbose:+-vvv} "$@"; }
complaint=': error:|Timeout reached|timed out'
xl_clean() {
  local verbose=yes status=0
  "$@" >/tmp/xl 2>&1 || status=$?
  grep -vE ': (debug|detail|progress): ' /tmp/xl
  grep -q ': debug:' /tmp/xl || { echo "no debug lines"; status=1; }
  none_of -E "$complaint" /tmp/xl || status=1
  return $status
}

no_domain() { ! xl domid "$1" >/dev/null 2>&1; }
domid_is_not() { [[ $(xl domid "$1" 2>/dev/null || echo "$2") != "$2" ]]; }
# Where the guest was started by xl_clean too, what goes on in the background is in xl's log.
reboots() {
  local domid
  domid=$(xl domid "$1")
  mark_console "$1"
  xl_clean xl reboot -w "$1" && until_true 40 domid_is_not "$1" "$domid" && debug_in_background "$1"
}
shuts_down() {
  xl_clean xl shutdown -w "$1" && until_true 20 no_domain "$1" && debug_in_background "$1" && clean_background "/var/log/xen/xl-$1.log"
}
debug_in_background() { grep -q ': debug:' "/var/log/xen/xl-$1.log" || { echo "no debug lines of xl in the background"; return 1; }; }
clean_background() { none_of -HE "$complaint" "$@"; }
saved() { xl_clean xl save "$1" "/save/$1" && xl_clean xl restore "/save/$1" && rm "/save/$1"; }

failures=0 claims=0
claim() {
  local said=$1 status=0 start=${EPOCHREALTIME/[.,]/} tenths printed
  shift
  "$@" >/tmp/printed 2>&1 || status=$?
  claims=$((claims + 1))
  tenths=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
  if ((status == 0)); then
    echo "ok $said ($((tenths / 10)).$((tenths % 10)) s)"
    mapfile -t printed </tmp/printed
    ((${#printed[@]} == 0)) || printf '   %s\n' "${printed[@]:${#printed[@]} > 2 ? ${#printed[@]} - 2 : 0}"
  else
    failures=$((failures + 1))
    echo "FAILED $said ($((tenths / 10)).$((tenths % 10)) s, exit status $status)"
    uniq /tmp/printed | tail -n 20 | sed 's/^/   /'
  fi
  return $status
}

daemons_are_content() {
  # Without its memory a kill may do harm, and would here too.
  none_of -vE "ringbackd (info|warning): |${may_log:-^$}" /out/ringbackd.log && grep -q 'ringbackd info' /out/ringbackd.log &&
    none_of 'when this daemon is killed' /out/ringbackd.log
}
# A kernel may warn of nothing since its init has shown that warnings come, but for `harmless`; and at no time of what
# `bad` has. Of guests that is what is on their consoles, of dom0 the whole log. (Emulated clocks don't go evenly. What is cut here
# says WARNING too.)
harmless='reboot: |cpu [0-9]+ spinlock event irq |xen:xen_privcmd: No target domain found|clocksource: |hrtimer: interrupt took |\[ cut here \]'
bad='\bBUG: |WARNING:|Kernel panic|Call Trace|general protection|segfault|oom-killer|out of memory|bad page|detected stalls|blocked for more
hw csum failure|NETDEV WATCHDOG|vif vif-[0-9-]*[: ]|net eth[0-9]: |xen_netfront: [^Ib]|Disabled for further use
Illegal number of responses|going backwards|incorrect id|inactive request|still in use by backend|too big for wire|rides the rocket
own address as source|is buggy|selects TX queue
GSO (size|type)|extra (info|type)|bad rx response|rx->offset|(more|many) slots|grant refs'
kernels_are_content() {
  local log logs=(/var/log/xen/console/guest-*.log)
  dmesg -r | grep -v ': Guest Rx ready$' >/tmp/dmesg # by which the kernel's netback greets a guest
  none_of . < <(grep -L 'warnings come here' /tmp/dmesg "${logs[@]}") || { echo "these have no warnings"; return 1; }
  # In a PVH guest, which QEMU emulates less well: Linux mends it, and nothing of ours has to do with it.
  # What does not end before the next start is judged.
  for log in "${logs[@]}"; do
    sed -e ':a' -e '/Bad FPU state detected/ { /warnings come here/b' -e '/end trace/d; $!{ N; ba' -e '} }' "$log" >"/tmp/judged-${log##*/}"
  done
  {
    sed -n '/warnings come here/,$ s/^<[0-4]>//p' /tmp/dmesg
    for log in /tmp/judged-guest-*.log; do since_init "$log"; done
  } | none_of -vE "$harmless" && none_of -HiE "$bad" /tmp/dmesg /tmp/judged-guest-*.log
}
# Of a console, on which the kernel says nothing else: its lines after that of each init.
since_init() {
  tr -d '\r' <"$1" | awk '
    !match($0, /^\[ *[0-9]+\.[0-9]+\] /) { next }
    { now = substr($0, 2) + 0; said = substr($0, RLENGTH + 1); if (now < last) since = 0; last = now }
    said == "warnings come here" { since = 1; next }
    since { print said }'
}

# Xen says when it ends a domain (also a triple fault, which restarts it), xl when one has ended itself. Xen's log starts anew
# when it is full.
domains_have_not_crashed() {
  xl dmesg >/tmp/xen-dmesg
  grep -q 'Xen version' /tmp/xen-dmesg || { echo "Xen's log has lost its beginning"; return 1; }
  none_of -F '*** Dumping Dom' /tmp/xen-dmesg && none_of -sH 'reason code 3' /var/log/xen/xl-*.log*
}
# One with a page that somebody has mapped stays in Xen's list, dying (`d` among its states).
no_zombies() { xl list | awk 'NR > 1 && $(NF - 1) ~ /d/ { print; ++dying } END { exit NR < 2 || dying }'; }
# libxl keeps ten of a guest's logs, and loses what was before.
keep_logs() {
  local log
  for log in /var/log/xen/xl-g[0-9].log*; do [[ ! -e $log ]] || mv "$log" "/var/log/xen/xl-${1//[, ]/-}-${log##*/xl-}"; done
}
xl_is_content() { echo "${#xl_logs[@]} logs" && clean_background "${xl_logs[@]}"; }

verdicts() {
  local xl_logs
  mapfile -t xl_logs < <(grep -ls ': debug:' /var/log/xen/xl-*.log*)
  grep -v 'ringbackd info: ' /out/ringbackd.log
  claim "no daemon has logged an error" daemons_are_content
  claim "no kernel has complained" kernels_are_content
  claim "no domain that was destroyed is still there" no_zombies
  claim "no domain has crashed: Xen has dumped none, and xl has seen none" domains_have_not_crashed
  ((${#xl_logs[@]} == 0)) || claim "no xl that watches a guest has complained, where it has told all" xl_is_content
  echo "$((claims - failures)) of $claims claims hold"
  exit $((failures > 0))
}
