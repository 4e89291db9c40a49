# shellcheck shell=bash
# ringbackd in a driver domain with xl devd, for guests with backend=driver. timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
# shellcheck disable=SC2016 # the driver domain's own
commands='. /lib/dom0.sh; bridge_up xenbr0 10.0.0.1/24
export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib; cp -a /payload/scripts/. /etc/xen/scripts/
iperf3 -s -D; xl devd -F & devd=$!
daemon && sleep 1 && kill -0 $daemon_pid $devd && echo DRIVER-UP'
# There is no network between dom0 and the others: the consoles say what they see.
guest_pings() {
  # One that gets no answer from ARP ends a ping, whatever -w says; xl devd may take some seconds for its script.
  on_console g1 'for i in {1..20}; do ping -q -c 1 -W 1 10.0.0.1 && break; done; ping -c 10 -i 0.1 10.0.0.1' 60 >/tmp/pings
  tail -n 16 /tmp/pings
  grep '10 received, 0% packet loss' /tmp/pings
}
guest_streams() { on_console g1 "iperf3 -f m -c 10.0.0.1 -t 3 $1" | received; }
# shellcheck disable=SC2016 # the driver domain's own
held_in_driver() {
  echo "ports $(lsevtchn "$driver" | grep -c -i interdomain) nodes $(vif_nodes "$driver")" \
    "$(on_console driver '. /lib/dom0.sh; daemon_pid=$(pids_of ringbackd) held_here' | grep '^descriptors')"
}
create() { kind=$kind vif="backend=driver,mac=00:16:3e:00:00:01,bridge=xenbr0,script=$script" guest g1 10.0.0.2; }
attach() { xl network-attach g1 backend=driver mac=00:16:3e:00:00:01 bridge=xenbr0 "script=$script"; }
# shellcheck disable=SC2016 # the driver domain's own
daemon_killed() {
  on_console driver '. /lib/dom0.sh; export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib; kill -9 $(pids_of ringbackd); sleep 1; daemon'
}
has_network() { says g1 'GUEST-NET eth0' 60 && guest_pings; }
driver_log() { on_console driver 'cat /out/ringbackd.log' | grep ' ringbackd [a-z]*: ' >>/out/ringbackd.log; }
leaves_nothing() { claim "$script: $1 leaves nothing there" until_true 10 holds "$before" held_in_driver; }
for round in first second; do
  kind=pv
  claim "the $round driver domain starts" xl_clean driver_domain 400 "$commands"
  [[ $round == first ]] || kind=pvh # the guests of the second one
  claim "ringbackd runs in it" says driver DRIVER-UP 90
  driver=$(xl domid driver)
  before=$(held_in_driver)
  echo "before: $before"
  for script in vif-bridge vif-ringback; do
    claim "$script: a guest with its vif there starts" xl_clean create
    claim "$script: it has a network, and reaches the driver domain" has_network
    claim "$script: TCP flows from it" guest_streams ''
    claim "$script: TCP flows to it" guest_streams -R
    claim "$script: xl network-detach" xl_clean xl network-detach g1 0
    leaves_nothing "xl network-detach"
    mark_console g1
    claim "$script: xl network-attach" xl_clean attach
    claim "$script: it has a network again" has_network
    claim "$script: ringbackd killed there, and started again" daemon_killed
    claim "$script: it goes on" guest_pings
    claim "$script: xl shutdown" shuts_down g1
    leaves_nothing "xl shutdown"
    claim "$script: another guest starts" xl_clean create
    claim "$script: it has a network" has_network
    if [[ $round == first ]]; then
      claim "$script: xl save and restore" saved g1
      claim "$script: it reaches the driver domain again" guest_pings
    else
      claim "$script: xl reboot" reboots g1
      claim "$script: it has a network again" has_network
    fi
    claim "$script: xl destroy with the vif attached" xl_clean xl destroy g1
    leaves_nothing "xl destroy"
  done
  claim "the log of its ringbackd is read" driver_log
  script="vif-bridge"
  claim "one more guest starts" create
  claim "and has a network" has_network
  claim "the driver domain is destroyed under it" xl_clean xl destroy driver
  claim "the guest can be destroyed after that" xl_clean xl destroy g1
done
verdicts
