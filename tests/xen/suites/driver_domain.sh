# shellcheck shell=bash
# ringbackd in a driver domain with xl devd, for guests with backend=driver. timeout=1200
# shellcheck source=tests/xen/image/dom0.sh
. /lib/dom0.sh
# There is no network between dom0 and the others: their consoles carry the commands.
# shellcheck disable=SC2016 # the driver domain's own
commands='. /lib/dom0.sh; bridge_up xenbr0 10.0.0.1/24
export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib; cp -a /payload/scripts/. /etc/xen/scripts/
socat -t 20 TCP-LISTEN:7000,reuseaddr,fork EXEC:cat & xl devd -F & devd=$!
daemon && kill -0 $devd'
guest_pings() {
  # One that gets no answer from ARP ends a ping, whatever -w says; xl devd may take some seconds for its script.
  on_console g1 'for i in {1..20}; do ping -q -c 1 -W 1 10.0.0.1 && break; done; ping -c 10 -i 0.1 10.0.0.1' 60 >/tmp/pings
  tail -n 16 /tmp/pings
  grep '10 received, 0% packet loss' /tmp/pings
}
# shellcheck disable=SC2016 # the guest's own
bytes_return() {
  on_console g1 'dd if=/dev/urandom of=/random bs=1M count=8 2>/dev/null
    sent=$(sha256sum </random) back=$(socat -t 20 - TCP:10.0.0.1:7000 </random | sha256sum); echo "$sent $back"; [[ $sent == "$back" ]]' 60
}
held_in_driver() {
  echo "ports $(lsevtchn "$driver" | grep -c -i interdomain) nodes $(vif_nodes "$driver")" \
    "$(on_console driver held_here | grep '^descriptors')"
}
create() { kind=$kind vif="backend=driver,mac=00:16:3e:00:00:01,bridge=xenbr0,script=$script" guest g1 10.0.0.2; }
attach() { xl network-attach g1 backend=driver mac=00:16:3e:00:00:01 bridge=xenbr0 "script=$script"; }
declare -A port=([vif-bridge]="by a tap" [vif-ringback]="on switch xenbr0")
served() {
  local domid
  domid=$(xl domid g1)
  on_console driver "grep 'vif$domid.0: offered to domain $domid, ${port[$script]}$' /out/ringbackd.log" && guest_pings
}
has_network() { says g1 'GUEST-NET eth0' 60 && served; }
leaves_nothing() { claim "$script, $kind: $1 leaves nothing there" until_true 10 holds "$before" held_in_driver; }
driver_log() { on_console driver 'cat /out/ringbackd.log' >/tmp/log && cat /tmp/log >>/out/ringbackd.log && grep -c 'ringbackd info: ' /tmp/log; }
nothing_in_store() {
  xenstore-ls -f / >/tmp/nodes && ! grep -E '^/(local/domain|libxl)/[1-9]|^/local/domain/0/backend/[^ ]*/[1-9]' /tmp/nodes
}
for kind in pv pvh; do
  claim "a driver domain for $kind guests starts" xl_clean eval 'kind=pv driver_domain 400' || break
  claim "ringbackd runs in it" on_console driver "$commands" 90 || break
  driver=$(xl domid driver)
  before=$(held_in_driver)
  echo "before: $before"
  for script in vif-bridge vif-ringback; do
    on="$script, $kind"
    # Without its guest the rest would say nothing, here and below.
    claim "$on: a guest with its vif there starts" xl_clean create || break 2
    claim "$on: it has a network, ${port[$script]}, and reaches the driver domain" has_network
    claim "$on: 8 MiB go there and come back with their SHA-256" bytes_return
    claim "$on: xl network-detach" xl_clean xl network-detach g1 0
    leaves_nothing "xl network-detach"
    mark_console g1
    claim "$on: xl network-attach" xl_clean attach
    claim "$on: it has a network again" has_network
    claim "$on: ringbackd killed there, and started again" on_console driver 'end_daemon KILL; daemon'
    claim "$on: it goes on" guest_pings
    claim "$on: xl shutdown" shuts_down g1
    leaves_nothing "xl shutdown"
    claim "$on: another guest starts" xl_clean create || break 2
    claim "$on: it has a network, ${port[$script]}" has_network
    if [[ $kind == pv ]]; then
      claim "$on: xl save and restore" saved g1 || break 2
      claim "$on: it reaches the driver domain again, ${port[$script]}" served
    fi
    claim "$on: xl reboot" reboots g1
    claim "$on: it has a network again, ${port[$script]}" has_network
    claim "$on: xl destroy with the vif attached" xl_clean xl destroy g1 || break 2
    leaves_nothing "xl destroy"
  done
  claim "the log of its ringbackd is read" driver_log
  script="vif-bridge"
  claim "one more guest starts" create || break
  claim "and has a network" has_network
  claim "the driver domain is destroyed under it" xl_clean xl destroy driver || break
  claim "the guest can be destroyed after that" xl_clean xl destroy g1 || break
  claim "the store has nothing of the two" until_true 5 nothing_in_store
done
verdicts
