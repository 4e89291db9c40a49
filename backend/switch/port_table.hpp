// The ports of a switch as the workers see them: read by many, and replaced as a whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/sink.hpp"
#include "backend/switch/mac_table.hpp"
#include "backend/switch/storm_meter.hpp"
#include "xenstore/port_policy.hpp"

namespace ringback::backend {

struct PortTable {
  struct Place {
    bool used = false;
    std::string name;
    std::vector<Sink*> sinks;                            // by queue; empty: not connected
    bool spreads = false;                                // flows over all of them
    std::shared_ptr<const xenstore::PortPolicy> policy;  // null: none
    std::shared_ptr<StormMeter> storm;                   // null: no limit
    bool mirrors() const { return policy && policy->mirror; }
    bool has_router() const { return policy && policy->router; }
  };
  // A port that gets copies of what goes through others.
  struct Mirror {
    PortNumber to;
    std::vector<bool> watched;  // by port
  };

  std::vector<Place> places;
  // What follows from the places.
  bool plain = true;  // all get whatever is sent to them, as it came
  std::vector<Mirror> mirrors;
  void derive();
};

// The VLAN of a frame with this tag that comes in by the place; nothing: it may not.
std::optional<net::VlanId> vlan_of(const PortTable::Place& from, std::optional<net::VlanTag> tag);
// Whether frames of the VLAN may leave by it, and whether with a tag.
bool is_member(const PortTable::Place& to, net::VlanId vlan);
bool leaves_tagged(const PortTable::Place& to, net::VlanId vlan);

}  // namespace ringback::backend
