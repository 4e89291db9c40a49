# shellcheck shell=bash
# ringbackd in a driver domain with xl devd, for guests with backend=driver. timeout=600
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
commands='modprobe bridge; ip link add xenbr0 type bridge stp_state 0 forward_delay 0; ip address add 10.0.0.1/24 dev xenbr0; ip link set xenbr0 up
export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib; cp -a /payload/scripts/. /etc/xen/scripts/
iperf3 -s -D; ringbackd & xl devd -F & sleep 1; echo DRIVER-UP'
# What the driver domain and its guest see of each other: there is no network between them and dom0.
guest_pings() { on_console g1 'ping -q -c 10 -i 0.1 10.0.0.1' 4 | grep ' 0% packet loss'; }
guest_streams() { on_console g1 "iperf3 -f m -c 10.0.0.1 -t 3 $1" 7 | grep receiver; }
no_backend() { ! xenstore-ls -f "/local/domain/$1/backend" 2>/dev/null | grep -q frontend-id; }
for round in first second; do
  claim "the $round driver domain starts" driver_domain 400 "$commands"
  claim "ringbackd runs in it" says driver DRIVER-UP 90
  domid=$(xl domid driver)
  for script in vif-bridge vif-ringback; do
    start() { vif="backend=driver,mac=00:16:3e:00:00:01,bridge=xenbr0,script=$script" guest g1 10.0.0.2; }
    claim "$script: a guest with its vif there starts" start
    claim "$script: it has a network" says g1 'GUEST-NET eth0' 60
    claim "$script: it reaches the driver domain" guest_pings
    claim "$script: TCP flows from it" guest_streams ''
    claim "$script: TCP flows to it" guest_streams -R
    claim "$script: xl network-detach" xl network-detach g1 0
    claim "$script: nothing of it is left there" until_true 10 no_backend "$domid"
    claim "$script: xl destroy" xl destroy g1
    : >/var/log/xen/console/guest-g1.log
  done
  start() { vif="backend=driver,mac=00:16:3e:00:00:01,bridge=xenbr0,script=vif-bridge" guest g1 10.0.0.2; }
  claim "another guest starts" start
  claim "and has a network" says g1 'GUEST-NET eth0' 60
  claim "the driver domain is destroyed under it" xl destroy driver
  claim "the guest can be destroyed after that" xl destroy g1
  : >/var/log/xen/console/guest-g1.log
  : >/var/log/xen/console/guest-driver.log
done
verdicts
