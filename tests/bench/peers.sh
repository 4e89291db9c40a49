# shellcheck shell=bash disable=SC2034,SC2154
# The switches that are compared, ours among them. To be sourced inside a lab (examples/lab.sh). Each has
#
#   NAME_title               what it is called
#   NAME_sizes               bytes of the frames that it can carry
#   NAME_slots               of its rings, where they can be chosen: each is tried, and $slots says which. Ours have 256 (netif.h)
#   NAME_start               starts it, or fails; its processes go into peer_pids
#   NAME_command SIZE [options of ringback-pktgen...]
#                            sets `command` to what sends and receives through it, on CPU 0
#
# CPU 1 is the switch's. Where there is no process that switches (the kernel's bridge) the receiver has it.

switch_cpu=1
dpdk_slots="256 1024"
short_sizes="64 128 256 512 1024 1514"
peer_pids=()

# switch NAME COMMAND...: in the background, on the switch's CPU; logs to $lab/NAME.log
switch() {
  local name=$1
  shift
  # Some of them end when their input does.
  taskset -c "$switch_cpu" "$@" < <(exec sleep infinity) >"$lab/$name.log" 2>&1 &
  peer_pids+=($!)
}

# Frees the CPU for the other side of the comparison, and takes it again. Nothing is lost by it but time.
peer_pause() { ((${#peer_pids[@]} == 0)) || kill -STOP "${peer_pids[@]}" 2>/dev/null || true; }
peer_continue() { ((${#peer_pids[@]} == 0)) || kill -CONT "${peer_pids[@]}" 2>/dev/null || true; }
peer_lives() {
  local pid
  for pid in "${peer_pids[@]}"; do kill -0 "$pid" 2>/dev/null || return 1; done
}
peer_stop() {
  ((${#peer_pids[@]})) || return 0
  peer_continue
  kill -KILL "${peer_pids[@]}" 2>/dev/null || true
  wait "${peer_pids[@]}" 2>/dev/null || true
  peer_pids=()
}

ours_title="Ringback's switch"
ours_sizes="$short_sizes 65535"
ours_start() { # BIN [options of ringback-hypervisor serve]
  lab_hypervisor "$@"
  # Put onto its CPU once it has started: a daemon that has one CPU only does not poll, as the peers do.
  lab_spawn ringbackd 0 ringbackd --workers 1
  lab_wait 10 grep -qs serving "$lab/ringbackd.log"
  taskset --all-tasks --cpu-list --pid "$switch_cpu" "${lab_pid[ringbackd]}" >/dev/null
  lab_guest 1
  lab_as 0 ringback vif attach 1 --devid 0 --switch bench >/dev/null
  lab_as 0 ringback vif attach 1 --devid 1 --switch bench >/dev/null
}
ours_command() {
  local size=$1
  shift
  guest_command 1 --size "$size" "$@"
}
# guest_command DOMID [options]
guest_command() {
  local guest=$1
  shift
  command=(ip netns exec "domain-$guest" ringback-hypervisor exec "$guest" -- ringback-pktgen --cpu 0 --json "$@")
}

# No switch at all: what two cores allow (bound.hpp).
bound_title="the bound on two cores"
bound_sizes="$short_sizes 65535"
bound_start() { :; }
bound_command() {
  local size=$1
  shift
  command=(ip netns exec domain-1 ringback-hypervisor exec 1 -- ringback-hypervisor exec 2 -- ringback-hypervisor exec 0 --
    two_cores bound --size "$size" --switch-cpu "$switch_cpu" "$@")
}

# DPDK: never with huge pages or devices of the machine.
dpdk=(--no-huge --no-pci --no-telemetry)
# testpmd NAME --vdev...: forwards from one port to the other and looks at nothing
testpmd() {
  local name=$1
  shift
  switch "$name" dpdk-testpmd --lcores "0@$switch_cpu,1@$switch_cpu" -m 512 "${dpdk[@]}" --file-prefix "$name" "$@" -- \
    --forward-mode=io --total-num-mbufs=16384 --disable-link-check --no-lsc-interrupt --stats-period 3600
  lab_wait 30 grep -qsE 'io packet forwarding|Port statistics' "$lab/$name.log"
}
# dpdk_command VDEV VDEV SIZE [options]
dpdk_command() {
  local from=$1 to=$2 size=$3
  shift 3
  command=(taskset -c 0 dpdk_pktgen --lcores 0@0 -m 256 "${dpdk[@]}" --single-file-segments --file-prefix generator --log-level error
    "--vdev=$from" "--vdev=$to" -- --size "$size" "$@")
}

memif_title="DPDK testpmd, memif"
memif_sizes=$short_sizes
memif_slots=$dpdk_slots
memif_start() {
  rm -f "$lab"/memif[01].sock # of one that has crashed, which testpmd does now and then when its client goes
  testpmd memif --vdev="net_memif0,role=server,id=0,socket=$lab/memif0.sock,socket-abstract=no" \
    --vdev="net_memif1,role=server,id=1,socket=$lab/memif1.sock,socket-abstract=no"
}
# Zero-copy, or the client would copy each frame as well. The rings are the client's.
memif_command() {
  local rsize # binary logarithm
  ((slots == 256)) && rsize=8 || rsize=10
  dpdk_command "net_memif0,role=client,id=0,socket=$lab/memif0.sock,socket-abstract=no,rsize=$rsize,zero-copy=yes" \
    "net_memif1,role=client,id=1,socket=$lab/memif1.sock,socket-abstract=no,rsize=$rsize,zero-copy=yes" "$@"
}

vhost_title="DPDK testpmd, vhost-user and virtio-user"
vhost_sizes=$short_sizes
vhost_slots=$dpdk_slots
vhost_start() {
  rm -f "$lab"/vhost[01]
  testpmd vhost --vdev="net_vhost0,iface=$lab/vhost0,queues=1" --vdev="net_vhost1,iface=$lab/vhost1,queues=1"
}
vhost_command() {
  dpdk_command "net_virtio_user0,path=$lab/vhost0,queues=1,queue_size=$slots" \
    "net_virtio_user1,path=$lab/vhost1,queues=1,queue_size=$slots" "$@"
}

# ovs NAME [key=value...]: a daemon of its own, with nothing of the machine's
ovs() {
  local name=$1
  shift
  export OVS_RUNDIR=$lab/$name OVS_LOGDIR=$lab/$name OVS_DBDIR=$lab/$name OVS_SYSCONFDIR=$lab/$name
  mkdir -p "$OVS_RUNDIR"
  PATH=$unpacked/usr/bin:$unpacked/usr/sbin:$PATH
  ovsdb-tool create "$OVS_RUNDIR/conf.db" "$unpacked/usr/share/openvswitch/vswitch.ovsschema" || return
  switch "$name-db" ovsdb-server "$OVS_RUNDIR/conf.db" "--remote=punix:$OVS_RUNDIR/db.sock" --unixctl="$OVS_RUNDIR/db.ctl"
  lab_wait 5 test -S "$OVS_RUNDIR/db.sock" && vsctl --no-wait init || return
  (($# == 0)) || vsctl --no-wait set Open_vSwitch . "$@" || return
  switch "$name" "$unpacked/usr/lib/openvswitch-switch${1:+-dpdk}/ovs-vswitchd${1:+-dpdk}" "unix:$OVS_RUNDIR/db.sock" \
    --unixctl="$OVS_RUNDIR/switch.ctl"
  vsctl add-br bench -- set bridge bench datapath_type=netdev
}
vsctl() { ovs-vsctl --timeout=15 "--db=unix:$OVS_RUNDIR/db.sock" "$@"; }

ovs_dpdk_title="Open vSwitch with DPDK, vhost-user, NORMAL"
ovs_dpdk_sizes=$short_sizes
ovs_dpdk_slots=$dpdk_slots
ovs_dpdk_start() {
  local port
  ovs ovs_dpdk other_config:dpdk-init=true "other_config:dpdk-extra=-m 2048 ${dpdk[*]} --legacy-mem --file-prefix ovs" \
    other_config:dpdk-lcore-mask=$((1 << switch_cpu)) other_config:pmd-cpu-mask=$((1 << switch_cpu)) || return
  for port in 0 1; do
    vsctl add-port bench "vhost$port" -- set Interface "vhost$port" type=dpdkvhostuser || return
  done
}
ovs_dpdk_command() {
  dpdk_command "net_virtio_user0,path=$lab/ovs_dpdk/vhost0,queues=1,queue_size=$slots" \
    "net_virtio_user1,path=$lab/ovs_dpdk/vhost1,queues=1,queue_size=$slots" "$@"
}

# wires NAME: two pairs of veths; the ends that traffic uses are NAME0 and NAME1, the others NAME0s and NAME1s
wires() {
  local end
  for end in "${1}0" "${1}1"; do
    ip link add "$end" type veth peer name "${end}s"
    ip link set "$end" up
    ip link set "${end}s" up
  done
}

ovs_title="Open vSwitch, userspace datapath, veths, NORMAL"
ovs_sizes=$short_sizes
ovs_start() {
  wires ovs
  ovs ovs || return
  vsctl add-port bench ovs0s -- add-port bench ovs1s
}
ovs_command() {
  local size=$1
  shift
  command=(kernel_pktgen packet:ovs0 packet:ovs1 --receive-cpu 0 --size "$size" "$@")
}

# bridge NAME DEVICE...
bridge() {
  local name=$1 device
  shift
  ip link add "$name" type bridge
  ip link set "$name" up
  for device; do ip link set "$device" master "$name"; done
}

bridge_tap_title="Linux bridge, taps"
bridge_tap_sizes="$short_sizes 65535"
bridge_tap_start() {
  local tap
  for tap in tap0 tap1; do
    ip tuntap add "$tap" mode tap multi_queue vnet_hdr
    ip link set "$tap" up
  done
  bridge taps tap0 tap1
}
bridge_tap_command() {
  local size=$1
  shift
  command=(kernel_pktgen tap:tap0 tap:tap1 --size "$size" "$@")
}

bridge_veth_title="Linux bridge, veths"
bridge_veth_sizes=$short_sizes
bridge_veth_start() {
  wires wire
  bridge wires wire0s wire1s
}
bridge_veth_command() {
  local size=$1
  shift
  command=(kernel_pktgen packet:wire0 packet:wire1 --size "$size" "$@")
}

vde_title="vde_switch"
vde_sizes=$short_sizes
vde_start() {
  switch vde vde_switch -s "$lab/vde" -M "$lab/vde.ctl"
  lab_wait 5 test -S "$lab/vde/ctl"
}
vde_command() {
  local size=$1
  shift
  command=(kernel_pktgen "vde:$lab/vde" "vde:$lab/vde" --receive-cpu 0 --size "$size" "$@")
}
