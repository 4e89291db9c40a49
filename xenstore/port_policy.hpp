// What a vif may do on the built-in switch, as keys of its backend directory. Pure: text in, values
// or an Error out.
//
//   vlan                 xl's key: the VLANs that it is in; without it all, and frames pass as they
//                        are
//   ringback/isolated    1: it and other isolated ones do not reach each other
//   ringback/macs        addresses that are behind it for good: 00:16:3e:00:00:01 ...@VLAN
//   ringback/storm       how many flooded frames it may send a second
//   ringback/mirror      it gets copies of what goes through the others, and nothing else: all, or
//                        their names (vif1.0 up-xenbr0)
//   ringback/router      1: multicast routers may be behind it
//
// A switch's uplink has the same, by other names (switch_policy.hpp).
#pragma once

#include <bitset>
#include <optional>
#include <vector>

#include "net/vlan.hpp"
#include "xenstore/keys.hpp"

namespace ringback::xenstore {

// The VLANs of a port that filters, as a Linux bridge has them. Terms of the text, joined by '/':
//
//   10       a member; its frames leave with their tag
//   10u      ... without it
//   10p      ... without it, and what comes without a tag is in VLAN 10; one at most
//   10-19    ten of them; 10-19u
//   10+5x3   three of them: 10, 15, 20; 10+5x3u
struct Vlans {
  std::bitset<net::vlan_count> members;
  std::bitset<net::vlan_count> untagged;    // those of them whose frames leave without a tag
  std::optional<net::VlanId> for_untagged;  // none: what comes without a tag is dropped
  friend bool operator==(const Vlans&, const Vlans&) = default;
};
Result<Vlans> parse_vlans(std::string_view text, std::string_view key = "vlan");

struct StaticMac {
  Mac mac{};
  net::VlanId vlan = 0;
  friend bool operator==(const StaticMac&, const StaticMac&) = default;
};

struct Mirror {
  std::vector<std::string> of;  // empty: all
  friend bool operator==(const Mirror&, const Mirror&) = default;
};

struct PortPolicy {
  std::optional<Vlans> vlans{};
  bool isolated = false;
  std::vector<StaticMac> macs{};
  std::optional<std::uint32_t> storm{};  // frames a second
  std::optional<Mirror> mirror{};
  bool router = false;
  friend bool operator==(const PortPolicy&, const PortPolicy&) = default;
};
// prefix: what the names start with, but for `vlan` of a vif.
Result<PortPolicy> parse_port_policy(const Keys& keys, std::string_view prefix = "ringback/",
                                     std::string_view vlan = "vlan");

}  // namespace ringback::xenstore
