#include "backend/switch/port_table.hpp"

#include <algorithm>

namespace ringback::backend {

void PortTable::derive() {
  plain = std::ranges::none_of(places, [](const Place& place) {
    return place.policy && (place.policy->vlans || place.policy->isolated);
  });
  mirrors.clear();
  for (std::size_t to = 0; to < places.size(); ++to) {
    if (!places[to].mirrors()) continue;
    const auto& names = places[to].policy->mirror->of;
    Mirror& mirror = mirrors.emplace_back(Mirror{static_cast<PortNumber>(to), {}});
    for (const Place& place : places)
      mirror.watched.push_back(place.used && !place.mirrors() &&
                               (names.empty() || std::ranges::count(names, place.name) > 0));
  }
}

std::optional<net::VlanId> vlan_of(const PortTable::Place& from, std::optional<net::VlanTag> tag) {
  const net::VlanId vlan = net::vlan_of(tag.value_or(0));
  if (!from.policy || !from.policy->vlans) return vlan;
  if (vlan == 0) return from.policy->vlans->for_untagged;
  return from.policy->vlans->members[vlan] ? std::optional(vlan) : std::nullopt;
}

bool is_member(const PortTable::Place& to, net::VlanId vlan) {
  return !to.policy || !to.policy->vlans || to.policy->vlans->members[vlan];
}

bool leaves_tagged(const PortTable::Place& to, net::VlanId vlan) {
  return !to.policy || !to.policy->vlans || !to.policy->vlans->untagged[vlan];
}

}  // namespace ringback::backend
