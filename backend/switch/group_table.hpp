// Which ports want which multicast group, overheard from hosts and routers (RFC 4541). Written by
// any worker under a lock, a few messages per host and minute; read by any worker for every
// multicast frame, without one.
//
//   key of (VLAN, group), 0: free | per port: wanted until    the group's members
//   key of (VLAN, no group)       | per port: there until     the routers of a family, and whether
//                                                             there is a querier
//
// When in doubt a frame is flooded, so that snooping may cost bandwidth but never a frame:
// - Nothing is held back before hosts have had the time to answer a query, nor when a querier was
//   not heard for a while, because then nobody tells what he wants any more.
// - A group that nobody has joined is for everybody (as in Linux's bridge; RFC 4541, 2.1.2 (3)).
// - Bounded: a port is in a limited number of groups, and a group has one of the 16 places of its
//   bucket, chosen by a hash with a secret seed. A port whose join finds no room gets everything,
//   until the join would have expired. So does one whose number is beyond a PortSet.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "backend/switch/mac_table.hpp"
#include "net/multicast.hpp"
#include "net/vlan.hpp"

namespace ringback::backend {

using net::VlanId;

// Ports of a switch. One that is too high to be told apart is in every set.
class PortSet {
 public:
  static constexpr std::size_t capacity = 256;
  bool contains(PortNumber port) const { return port >= capacity || ports_[port]; }
  void add(PortNumber port) {
    if (port < capacity) ports_.set(port);
  }

 private:
  std::bitset<capacity> ports_;
};

// Times are the caller's, in seconds; workers may disagree by one.
class GroupTable {
 public:
  // Some 1 KiB for each group of each VLAN.
  struct Limits {
    std::size_t groups = 1024;         // a power of two, at least 16
    std::size_t groups_per_port = 64;  // and then some VLANs that a router may say it is on
  };
  // seed: a secret, so that nobody can choose groups of one bucket.
  explicit GroupTable(std::uint64_t seed) : GroupTable(seed, Limits()) {}
  GroupTable(std::uint64_t seed, Limits limits);

  // What came in by a port. Queries, and all that is not Ordinary or Reports, are then to be
  // flooded, and Reports to go to routers() only.
  void learn(VlanId vlan, PortNumber port, const net::MembershipMessage& message,
             std::uint32_t now);

  // Who gets a frame for a group: its members and the routers. Nothing: everybody.
  std::optional<PortSet> receivers(VlanId vlan, const net::MulticastGroup& group,
                                   std::uint32_t now) const;
  // Who gets a report: a host that heard another's would not send its own (RFC 4541, 2.1.1 (1)).
  // Nothing: everybody, because no router is known.
  std::optional<PortSet> routers(VlanId vlan, net::Family family, std::uint32_t now) const;

  // A port is new: whoever is there may have joined groups elsewhere (a guest that migrated does
  // not say so again), and gets everything until he must have been asked.
  void admit(PortNumber port, std::uint32_t now);
  // A port has gone.
  void forget(PortNumber port);

 private:
  using Key = std::uint64_t;
  using Time = std::atomic<std::uint32_t>;  // until when, included; 0: not at all
  struct Entry {
    std::array<Time, PortSet::capacity> until{};
    // For routers: a querier is believed until `queried`, and hosts have answered it by `answered`.
    Time queried = 0;
    Time answered = 0;
    // The writers'.
    std::uint32_t membership = 0;  // for routers: how long a report holds, in seconds
    std::bitset<PortSet::capacity> leaving;
  };
  struct Members {
    PortSet ports;
    bool any = false;
    bool answered = false;
  };

  Key key_of(VlanId vlan, const net::MulticastGroup& group) const;
  Key key_of_routers(VlanId vlan, net::Family family) const;
  std::optional<std::size_t> find(Key key) const;
  Members members(Key key, std::uint32_t now) const;

  // With the lock held.
  void learn_query(VlanId vlan, PortNumber port, const net::Query& query, std::uint32_t now);
  void learn_reports(VlanId vlan, PortNumber port, const net::Reports& reports, std::uint32_t now);
  Entry* join(Key key, PortNumber port, std::size_t limit, std::uint32_t until, std::uint32_t now);
  Entry* take_place(Key key, PortNumber port, std::size_t limit);
  void give_everything(PortNumber port, std::uint32_t until);
  void raise_end(PortNumber port);
  void sweep(std::uint32_t now);

  const std::uint64_t seed_;
  const Limits limits_;
  const std::unique_ptr<std::atomic<Key>[]> keys_;
  const std::unique_ptr<Entry[]> entries_;
  std::array<Time, PortSet::capacity> everything_{};
  std::atomic<std::size_t> ports_end_ = 0;  // no port is in use from here on

  std::mutex mutex_;                                     // guards what follows, and writing
  std::array<std::size_t, PortSet::capacity> joined_{};  // how many `until` each port has
  std::optional<std::uint32_t> swept_;
};

}  // namespace ringback::backend
