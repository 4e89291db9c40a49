// One burst's way through a switch. Lives for one call of SoftwareSwitch::forward, on the sender's
// worker.
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <span>

#include "backend/copier.hpp"
#include "backend/counters.hpp"
#include "backend/switch/clock.hpp"
#include "backend/switch/group_table.hpp"
#include "backend/switch/port_table.hpp"
#include "net/toeplitz.hpp"

namespace ringback::backend {

class Passage {
 public:
  // flows: which of a receiver's queues a flow goes to, if it has more than the sender. port: where
  // the burst came in.
  Passage(const PortTable& ports, const net::Toeplitz& flows, std::span<Frame> burst,
          PortNumber port)
      : ports_(ports), from_(ports.places[port]), flows_(flows), burst_(burst), port_(port) {}

  // First pass: what each frame's VLAN and destination are. groups: null where multicast frames are
  // for everybody.
  void look_up(MacTable& macs, GroupTable* groups, Moment now, Counters& counters);
  // Second pass: each destination gets all of its frames at once.
  void deliver(std::size_t queue, Copier& copier, Counters& counters);

 private:
  // Frames of the burst, a bit for each.
  using Set = std::uint64_t;
  static_assert(burst_size <= 64);
  struct List {
    PortNumber to;
    Set frames;
  };
  // What the frames of one flow have in common: which list they go on, or why on none.
  struct Way {
    List* list;
    net::VlanId vlan;
    Drop lost;
    std::optional<net::VlanTag> tag;
    bool for_group = false;  // the next frame with these addresses may be for another one
    std::optional<PortSet> audience{};  // of what is flooded; nothing: everybody
  };

  std::size_t fetch(std::size_t from, std::size_t to, net::VlanId vlan, const MacTable& macs) const;
  Way way_of(const Frame& frame, MacTable& macs, GroupTable* groups, std::uint32_t now);
  void overhear(const Frame& frame, GroupTable& groups, std::uint32_t now, Way& way) const;
  List& list_for(PortNumber to);
  Set give(PortNumber to, Set frames, std::size_t queue, Copier& copier);
  void spread(const PortTable::Place& to, std::span<Frame*> frames, Copier& copier) const;
  Set admitted(const PortTable::Place& to, Set frames);
  void shape(const PortTable::Place& to, std::size_t i);
  Set flooded_to(PortNumber to) const;
  Set seen_by(const PortTable::Mirror& mirror) const;
  void count(Set given, bool all_good, Counters& counters) const;

  const PortTable& ports_;
  const PortTable::Place& from_;
  const net::Toeplitz& flows_;
  const std::span<Frame> burst_;
  const PortNumber port_;
  std::array<net::VlanId, burst_size> vlans_;
  std::array<net::VlanTag, burst_size> tags_;    // the last that each had; 0: none yet
  std::array<std::uint32_t, burst_size> sizes_;  // as they came
  std::uint64_t bytes_ = 0;                      // of all that are on a list
  std::size_t list_count_ = 0;
  std::array<List, burst_size> lists_;
  List flooded_ = {0, 0};
  // Flooded to their audiences only, which come in the frames' order.
  Set narrowed_ = 0;
  boost::container::static_vector<PortSet, burst_size> audiences_;
  Set tagged_ = 0;  // at present: their bytes don't say, for a tag may lie behind a tag
  // Kept from a receiver.
  Set outside_vlan_ = 0;
  Set isolated_ = 0;
};

}  // namespace ringback::backend
