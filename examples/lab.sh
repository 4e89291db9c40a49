# shellcheck shell=bash
# A lab: the embedded hypervisor, ringbackd and guests, on this machine. To be sourced by a bash script.
#
# Sourcing it runs the script again, from its top, in network, mount and process namespaces of its own with a /run of
# their own: nothing here touches the machine's network, and however the script ends (kill -9 too) the kernel takes
# everything away with it. The script's own namespace is the host, domain 0; each guest has one more.
# RINGBACK_LAB is set the second time.
#
#   lab_start BIN [ringbackd options]     the hypervisor and the daemon; BIN is the folder of the programs
#   lab_hypervisor BIN [options of ringback-hypervisor serve], lab_daemon [ringbackd options]
#                                         one of them alone
#   lab_guest DOMID                       a guest (1 to 250): a domain and its network namespace
#   lab_vif DOMID DEVID [ringback vif attach options] [-- ringback-netfront options]
#                                         a connected vif with addresses; the guest's end is eth<DEVID>
#   lab_in DOMID COMMAND                  in the guest's network namespace (0: the host's)
#   lab_as DOMID COMMAND                  there, and as that domain: xenstore-*, ringback, ...
#   lab_spawn NAME DOMID COMMAND          as lab_as, in the background; logs to $lab/NAME.log, has the pid lab_pid[NAME]
#   lab_wait SECONDS COMMAND              until the command succeeds
#   lab_end NAME / lab_kill NAME          SIGTERM, and its exit status / SIGKILL
#   lab_kill_guest DOMID                  kill -9 to all that runs in the domain
#   lab_stop                              ends all in order; fails if something does not exit with 0
#
# A vif on a switch has the addresses 10.0.DEVID.DOMID/24 and fd00:0:0:DEVID::DOMID/64. One with a tap has
# 10.1.DOMID.2/24 and fd01:0:0:DOMID::2/64 (10.1+DEVID..., fd01:0:DEVID... for a later DEVID), and its end in the host,
# vif<DOMID>.<DEVID>, has .1 and ::1.

if [[ ! -v RINGBACK_LAB ]]; then
  if ((EUID != 0)); then
    echo "$0 makes network namespaces, which takes root: try sudo $0 $*" >&2
    exit 1
  fi
  # Dies with this shell, and all its namespaces with it.
  RINGBACK_LAB=1 setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc \
    bash "$0" "$@" <&0 &
  lab_sandbox=$!
  trap 'kill -KILL "$lab_sandbox"; exit 130' INT TERM HUP
  wait "$lab_sandbox" && exit
  status=$?
  echo "$0: exit status $status" >&2
  exit "$status"
fi

lab=/run/lab
declare -A lab_pid
mount -t tmpfs lab /run
mkdir "$lab" /run/netns
ip netns attach domain-0 $$
ip link set lo up
trap lab_tell EXIT

# When something failed: what the programs said.
lab_tell() {
  local status=$?
  ((status == 0)) || tail -n 20 "$lab"/*.log >&2
}

lab_wait() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= end)); then
      echo "waited in vain for: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

lab_in() {
  local domain=$1
  shift
  ip netns exec "domain-$domain" "$@"
}

lab_as() {
  local domain=$1
  shift
  lab_in "$domain" ringback-hypervisor exec "$domain" -- "$@"
}

lab_spawn() {
  local name=$1 domain=$2
  shift 2
  : >"$lab/$name.log"
  ip netns exec "domain-$domain" ringback-hypervisor exec "$domain" -- "$@" >>"$lab/$name.log" 2>&1 &
  lab_pid[$name]=$!
}

lab_end() {
  local pid=${lab_pid[$1]} status=0
  unset "lab_pid[$1]"
  kill "$pid" && wait "$pid" || status=$?
  ((status == 0)) || echo "$1: exit status $status" >&2
  return "$status"
}

lab_kill() {
  local pid=${lab_pid[$1]}
  unset "lab_pid[$1]"
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
}

lab_hypervisor() {
  PATH=$(realpath "$1"):$PATH
  ringback-hypervisor serve "${@:2}" >"$lab/hypervisor.log" 2>&1 &
  lab_pid[hypervisor]=$!
  lab_wait 10 grep -qs serving "$lab/hypervisor.log"
}

lab_daemon() {
  lab_spawn ringbackd 0 ringbackd "$@"
  lab_wait 10 grep -qs serving "$lab/ringbackd.log"
}

lab_start() {
  lab_hypervisor "$1"
  shift
  lab_daemon "$@"
}

lab_guest() {
  [[ -e /run/netns/domain-$1 ]] || ip netns add "domain-$1"
  ip -n "domain-$1" link set lo up
  lab_spawn "guest-$1" "$1" sh -c 'echo runs; exec sleep infinity'
  lab_wait 10 grep -qs runs "$lab/guest-$1.log"
}

lab_vif() {
  local domain=$1 device=$2 attach=()
  shift 2
  while (($#)); do
    [[ $1 != -- ]] || { shift; break; }
    attach+=("$1")
    shift
  done
  lab_as 0 ringback vif attach "$domain" --devid "$device" "${attach[@]}" >/dev/null
  lab_netfront "$domain" "$device" "$@"
}

lab_netfront() {
  local domain=$1 device=$2
  shift 2
  lab_spawn "netfront-$domain.$device" "$domain" ringback-netfront --device "$device" --tap "eth$device" "$@"
  lab_wait 20 grep -q ': runs with ' "$lab/netfront-$domain.$device.log"
  lab_address "$domain" "$device"
}

lab_connected() {
  local frontend=/local/domain/$1/device/vif/$2
  [[ $(lab_as 0 xenstore-read "$frontend/state" "$(lab_as 0 xenstore-read "$frontend/backend")/state" 2>/dev/null) == 4$'\n'4 ]]
}

lab_address() {
  local domain=$1 device=$2 tap=vif$1.$2
  if ip link show "$tap" >/dev/null 2>&1; then
    lab_put "$domain" "eth$device" "10.$((1 + device)).$domain.2" "fd01:0:$device:$domain::2"
    lab_put 0 "$tap" "10.$((1 + device)).$domain.1" "fd01:0:$device:$domain::1"
  else
    lab_put "$domain" "eth$device" "10.0.$device.$domain" "fd00:0:0:$device::$domain"
  fi
}

lab_put() {
  ip -n "domain-$1" -batch - <<END
link set $2 up
address replace $3/24 dev $2
address replace $4/64 dev $2 nodad
END
}

lab_kill_guest() {
  local name
  for name in "${!lab_pid[@]}"; do
    [[ $name != guest-$1 && $name != netfront-$1.* ]] || lab_kill "$name"
  done
}

lab_stop() {
  local name kind failed=0
  for kind in netfront guest ringbackd hypervisor; do
    for name in "${!lab_pid[@]}"; do
      [[ $name == "$kind"* ]] || continue
      if [[ $kind == guest ]]; then lab_kill "$name"; else lab_end "$name" || failed=1; fi
    done
  done
  return "$failed"
}
