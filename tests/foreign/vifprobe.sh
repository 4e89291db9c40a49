#!/bin/bash
# vifprobe.sh BIN VIFPROBE: a C backend that was proved on real Xen serves ringback-netfront here, and goes on with the
# same rings after a kill -9.
set -euo pipefail
. "$(dirname "$0")/../../examples/lab.sh"
vifprobe=$2

probe() { # its log must come to say WORD
  lab_spawn vifprobe 0 "$vifprobe"
  lab_wait 20 grep -qs "$1" "$lab/vifprobe.log"
}
answers() { lab_in 1 ping -q -i 0.05 -c 20 -W 2 10.0.0.1 | grep ' 0% packet loss'; }

lab_hypervisor "$1"
lab_guest 1
probe watching
lab_vif 1 0
lab_in 1 ip address add 10.0.0.9/24 dev eth0
answers
for ((i = 0; i < 3; ++i)); do
  lab_kill vifprobe
  probe RESUMED
  answers
done
lab_end netfront-1.0
lab_kill vifprobe # it knows no other end
lab_stop
