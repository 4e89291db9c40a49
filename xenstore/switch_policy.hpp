// What holds for a whole switch and for its uplink, as keys below the daemon's own domain. Pure:
// text in, values or an Error out.
//
//   /local/domain/<own>/ringback/switch/<directory_of(name)>/
//     snooping         0: multicast frames go to everybody, whoever has asked for them
//     ageing           how many seconds an address is believed that is not seen again
//     uplink/device    a network device that it has to itself (AF_XDP); else a tap is made
//     uplink/vlan ...  the uplink's policy, as a vif's (port_policy.hpp); but `uplink/router` is 1
//                      where it isn't said
#pragma once

#include "xenstore/port_policy.hpp"

namespace ringback::xenstore {

// The name, but for what the store allows in no path: such a byte is @ and two hexadecimal digits
// there (xenbr0.10: xenbr0@2e10).
std::string directory_of(std::string_view name);

struct SwitchPolicy {
  bool snooping = true;
  std::uint32_t ageing = 300;  // seconds; at least 1
  std::string device{};        // of the uplink; empty: a tap
  PortPolicy uplink{.router = true};
  friend bool operator==(const SwitchPolicy&, const SwitchPolicy&) = default;
};
Result<SwitchPolicy> parse_switch_policy(const Keys& keys);

}  // namespace ringback::xenstore
