#include "backend/switch/passage.hpp"

#include <algorithm>
#include <bit>

namespace ringback::backend {
namespace {

// A frame with a tag that is no shorter than one without can be.
constexpr std::size_t least_tagged = net::ethernet_header_size + net::vlan_tag_size;

// What a frame's way depends on: its addresses and its tag.
bool same_flow(const Frame& one, const Frame& other) {
  return one.head.size() >= least_tagged && other.head.size() >= least_tagged &&
         std::memcmp(one.head.data(), other.head.data(), net::macs_size + net::vlan_tag_size) == 0;
}

// Memory answers in the time that so many frames take to be looked up.
constexpr std::size_t fetched_ahead = 4;

// A super-frame may become so many.
std::uint32_t frames_in(const Frame& frame) {
  if (frame.offload.gso == net::Gso::none) return 1;
  return (frame.size + frame.offload.gso_size - 1) / frame.offload.gso_size;
}

template <class See>
void for_each(std::uint64_t set, See see) {
  for (; set != 0; set &= set - 1) see(static_cast<std::size_t>(std::countr_zero(set)));
}

}  // namespace

void Passage::look_up(MacTable& macs, GroupTable* groups, Moment now, Counters& counters) {
  const std::uint32_t seconds = now.seconds();
  const Frame* last = nullptr;
  Way way{};
  std::size_t fetched = 0;
  for (std::size_t i = 0; i < burst_.size(); ++i) {
    const Frame& frame = burst_[i];
    if (frame.failed) {
      counters.drop(Drop::bad_grant);
      continue;
    }
    // Most of a burst is of one flow.
    if (last == nullptr || way.for_group || !same_flow(frame, *last)) {
      way = way_of(frame, macs, groups, seconds);
      if (last != nullptr && way.list != nullptr && !way.for_group)
        fetched = fetch(std::max(fetched, i + 1), i + fetched_ahead, way.vlan, macs);
    }
    last = &frame;
    if (way.list == nullptr) {
      counters.drop(way.lost);
    } else if (way.list == &flooded_ && from_.storm &&
               !from_.storm->allow(now.nanoseconds, frames_in(frame))) {
      counters.drop(Drop::storm);
    } else {
      vlans_[i] = way.vlan;
      tags_[i] = way.tag.value_or(0);
      if (way.tag) tagged_ |= Set{1} << i;
      sizes_[i] = frame.size;
      bytes_ += frame.size;
      way.list->frames |= Set{1} << i;
      if (way.audience) {
        narrowed_ |= Set{1} << i;
        audiences_.push_back(*way.audience);
      }
    }
  }
}

// Where a burst has many flows the addresses of the next frames are asked for as well, in the VLAN
// that they most likely are in.
std::size_t Passage::fetch(std::size_t from, std::size_t to, net::VlanId vlan,
                           const MacTable& macs) const {
  for (; from < std::min(to + 1, burst_.size()); ++from) {
    const std::byte* const addresses = burst_[from].head.data();
    macs.fetch(vlan, mac_at(addresses));
    macs.fetch(vlan, mac_at(addresses + 6));
  }
  return from;
}

Passage::Way Passage::way_of(const Frame& frame, MacTable& macs, GroupTable* groups,
                             std::uint32_t now) {
  if (from_.mirrors()) return {nullptr, 0, Drop::mirror, {}};
  if (net::is_tagged(frame.head) && frame.head.size() < least_tagged)
    return {nullptr, 0, Drop::malformed, {}};
  const auto tag = net::vlan_tag(frame.head);
  const auto vlan = vlan_of(from_, tag);
  if (!vlan) return {nullptr, 0, Drop::vlan, {}};
  const std::uint64_t source = mac_at(frame.head.data() + 6);
  if (!is_multicast(source)) macs.learn(*vlan, source, port_, now);
  const std::uint64_t destination = mac_at(frame.head.data());
  if (is_multicast(destination)) {
    Way way{&flooded_, *vlan, {}, tag};
    if (groups != nullptr && destination != broadcast_mac) overhear(frame, *groups, now, way);
    return way;
  }
  const auto receiver = macs.find(*vlan, destination, now);
  // A mirror may still be known by what it sent before it was one.
  if (!receiver || *receiver >= ports_.places.size() || ports_.places[*receiver].mirrors())
    return {&flooded_, *vlan, {}, tag};
  // Its receiver is on the side that it came from.
  if (*receiver == port_) return {nullptr, 0, Drop::no_receiver, {}};
  return {&list_for(*receiver), *vlan, {}, tag};
}

// Whom a multicast frame is for, and what it tells of who wants which (group_table.hpp).
void Passage::overhear(const Frame& frame, GroupTable& groups, std::uint32_t now, Way& way) const {
  way.for_group = true;
  const auto headers = net::parse_headers(frame.head, frame.size);
  // Behind a second tag it is a network that is not known here.
  const std::size_t expected = net::ethernet_header_size + (way.tag ? net::vlan_tag_size : 0);
  if (!headers || headers->network_offset != expected) return;
  const auto message = net::parse_membership(frame.head, *headers);
  if (std::holds_alternative<net::Ordinary>(message)) {
    if (const auto group = net::group_of(frame.head, *headers))
      way.audience = groups.receivers(way.vlan, *group, now);
  } else if (const auto* reports = std::get_if<net::Reports>(&message)) {
    groups.learn(way.vlan, port_, message, now);
    way.audience = groups.routers(way.vlan, reports->family, now);
  } else if (from_.has_router()) {
    groups.learn(way.vlan, port_, message, now);
  }
}

Passage::List& Passage::list_for(PortNumber to) {
  for (std::size_t l = 0; l < list_count_; ++l)
    if (lists_[l].to == to) return lists_[l];
  lists_[list_count_] = {to, 0};
  return lists_[list_count_++];
}

void Passage::deliver(std::size_t queue, Copier& copier, Counters& counters) {
  const std::uint64_t failures = copier.failures();
  Set given = 0;
  for (std::size_t l = 0; l < list_count_; ++l)
    given |= give(lists_[l].to, lists_[l].frames, queue, copier);
  if (flooded_.frames != 0) {
    for (std::size_t to = 0; to < ports_.places.size(); ++to)
      if (to != port_ && !ports_.places[to].mirrors())
        given |= give(static_cast<PortNumber>(to), flooded_to(static_cast<PortNumber>(to)), queue,
                      copier);
  }
  count(given, copier.failures() == failures, counters);
  for (const PortTable::Mirror& mirror : ports_.mirrors)
    give(mirror.to, seen_by(mirror), queue, copier);
}

// Returns those that it was given. A flow stays on its queue, because the sender keeps it on his;
// where a guest has more, flows are spread over all of them.
Passage::Set Passage::give(PortNumber to, Set frames, std::size_t queue, Copier& copier) {
  const PortTable::Place& place = ports_.places[to];
  if (place.sinks.empty()) return 0;
  if (!ports_.plain) frames = admitted(place, frames);
  std::array<Frame*, burst_size> members;
  std::size_t size = 0;
  for_each(frames, [&](std::size_t i) {
    if (!ports_.plain) shape(place, i);
    members[size++] = &burst_[i];
  });
  if (size == 0) return frames;
  if (place.spreads && place.sinks.size() > std::max<std::size_t>(from_.sinks.size(), 1))
    spread(place, {members.data(), size}, copier);
  else
    place.sinks[queue % place.sinks.size()]->deliver({members.data(), size}, copier);
  return frames;
}

void Passage::spread(const PortTable::Place& to, std::span<Frame*> frames, Copier& copier) const {
  std::array<Sink*, burst_size> sinks;
  for (std::size_t i = 0; i < frames.size(); ++i)
    sinks[i] = to.sinks[flows_.of_flow(frames[i]->head, frames[i]->size) % to.sinks.size()];
  std::array<Frame*, burst_size> members;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Sink* const sink = sinks[i];
    if (sink == nullptr) continue;  // has gone with one before it
    std::size_t size = 0;
    for (std::size_t other = i; other < frames.size(); ++other) {
      if (sinks[other] != sink) continue;
      members[size++] = frames[other];
      sinks[other] = nullptr;
    }
    sink->deliver({members.data(), size}, copier);
  }
}

Passage::Set Passage::admitted(const PortTable::Place& to, Set frames) {
  if (from_.policy && to.policy && from_.policy->isolated && to.policy->isolated) {
    isolated_ |= frames;
    return 0;
  }
  Set outside = 0;
  for_each(frames, [&](std::size_t i) {
    if (!is_member(to, vlans_[i])) outside |= Set{1} << i;
  });
  outside_vlan_ |= outside;
  return frames & ~outside;
}

// A frame has the form that its last receiver took it in; its copies are made when that returns.
void Passage::shape(const PortTable::Place& to, std::size_t i) {
  const net::VlanId vlan = vlans_[i];
  if (vlan == 0) return;  // as it came
  Frame& frame = burst_[i];
  const Set bit = Set{1} << i;
  const bool has_tag = (tagged_ & bit) != 0;
  const bool wants_tag = leaves_tagged(to, vlan);
  // A tag with a priority alone is replaced by one with the VLAN.
  if (has_tag == wants_tag && (!has_tag || net::vlan_of(tags_[i]) == vlan)) return;
  if (has_tag) {
    frame.head = net::pop_vlan_tag(frame.head);
    frame.size -= net::vlan_tag_size;
    tagged_ &= ~bit;
  }
  if (!wants_tag) return;
  tags_[i] = net::with_vlan(tags_[i], vlan);
  frame.head = net::push_vlan_tag(frame.head, tags_[i]);
  frame.size += net::vlan_tag_size;
  tagged_ |= bit;
}

Passage::Set Passage::flooded_to(PortNumber to) const {
  Set wanted = flooded_.frames;
  const PortSet* audience = audiences_.data();
  for_each(narrowed_, [&](std::size_t i) {
    if (!(audience++)->contains(to)) wanted &= ~(Set{1} << i);
  });
  return wanted;
}

Passage::Set Passage::seen_by(const PortTable::Mirror& mirror) const {
  Set seen = 0;
  for (std::size_t l = 0; l < list_count_; ++l)
    if (mirror.watched[port_] || mirror.watched[lists_[l].to]) seen |= lists_[l].frames;
  if (mirror.watched[port_]) return seen | flooded_.frames;
  for (std::size_t to = 0; to < ports_.places.size(); ++to) {
    if (to == port_ || !mirror.watched[to]) continue;
    for_each(flooded_to(static_cast<PortNumber>(to)), [&](std::size_t i) {
      if (is_member(ports_.places[to], vlans_[i])) seen |= Set{1} << i;
    });
  }
  return seen;
}

void Passage::count(Set given, bool all_good, Counters& counters) const {
  Set all = flooded_.frames;
  for (std::size_t l = 0; l < list_count_; ++l) all |= lists_[l].frames;
  if (all_good && given == all)
    return counters.delivered(bytes_, static_cast<std::uint64_t>(std::popcount(all)));
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  for_each(all, [&](std::size_t i) {
    const Set frame = Set{1} << i;
    if (burst_[i].failed)
      counters.drop(Drop::bad_grant);
    else if ((given & frame) == 0)
      counters.drop(outside_vlan_ & frame ? Drop::vlan
                    : isolated_ & frame   ? Drop::isolated
                                          : Drop::no_receiver);
    else {
      ++frames;
      bytes += sizes_[i];
    }
  });
  counters.delivered(bytes, frames);
}

}  // namespace ringback::backend
