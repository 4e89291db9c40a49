#include "backend/switch/software_switch.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <random>

namespace ringback::backend {
namespace {

constexpr std::size_t mac_capacity = 65536;
constexpr std::uint64_t no_mac = UINT64_MAX;

std::uint32_t seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint32_t>(now.tv_sec);
}

}  // namespace

SoftwareSwitch::SoftwareSwitch(std::string name, Synchronise synchronise)
    : name_(std::move(name)),
      synchronise_(std::move(synchronise)),
      macs_(mac_capacity, std::random_device()()),
      owned_(std::make_unique<Places>()),
      places_(owned_.get()) {}

SoftwareSwitch::~SoftwareSwitch() = default;

PortNumber SoftwareSwitch::add() {
  auto places = std::make_unique<Places>(*owned_);
  const auto free = std::ranges::find(*places, false, &Place::used);
  const auto number = static_cast<PortNumber>(free - places->begin());
  if (free == places->end()) places->emplace_back();
  (*places)[number].used = true;
  replace(std::move(places));
  return number;
}

void SoftwareSwitch::remove(PortNumber port) {
  auto places = std::make_unique<Places>(*owned_);
  (*places)[port] = Place{};
  replace(std::move(places));
  macs_.forget(port);
}

std::size_t SoftwareSwitch::port_count() const {
  return static_cast<std::size_t>(std::ranges::count(*owned_, true, &Place::used));
}

void SoftwareSwitch::connect(PortNumber port, std::vector<Sink*> sinks) {
  auto places = std::make_unique<Places>(*owned_);
  (*places)[port].sinks = std::move(sinks);
  replace(std::move(places));
}

void SoftwareSwitch::replace(std::unique_ptr<const Places> places) {
  places_.store(places.get(), std::memory_order_release);
  synchronise_();
  owned_ = std::move(places);
}

void SoftwareSwitch::forward(std::span<Frame> burst, PortNumber port, std::size_t queue,
                             Copier& copier, Counters& counters) {
  const Places& places = *places_.load(std::memory_order_acquire);
  const std::uint32_t now = seconds();

  // First pass: per-destination lists, chained through `next`; flooded frames have a list of their
  // own.
  constexpr std::uint8_t end = burst_size;
  struct List {
    PortNumber to;
    std::uint8_t first;
    std::uint8_t last;
  };
  std::array<List, burst_size> lists;
  std::array<std::uint8_t, burst_size> next;
  std::array<Frame*, burst_size> flooded;
  std::size_t list_count = 0;
  std::size_t flood_count = 0;
  std::uint64_t last_source = no_mac;
  std::uint64_t last_destination = no_mac;
  std::optional<PortNumber> receiver;  // of the last destination
  for (std::size_t i = 0; i < burst.size(); ++i) {
    Frame& frame = burst[i];
    if (frame.failed) {
      counters.drop(Drop::bad_grant);
      continue;
    }
    next[i] = end;
    const std::uint64_t source = mac_at(frame.head.data() + 6);
    const std::uint64_t destination = mac_at(frame.head.data());
    // Most of a burst is of one flow.
    if (source != last_source && !is_multicast(source)) macs_.learn(source, port, now);
    if (destination != last_destination)
      receiver = is_multicast(destination) ? std::nullopt : macs_.find(destination, now);
    last_source = source;
    last_destination = destination;
    if (!receiver) {
      flooded[flood_count++] = &frame;
      continue;
    }
    if (*receiver == port) {
      counters.drop(Drop::no_receiver);  // its receiver is on the side that it came from
      continue;
    }
    const auto index = static_cast<std::uint8_t>(i);
    const auto list = std::find_if(lists.begin(), lists.begin() + list_count,
                                   [&](const List& l) { return l.to == *receiver; });
    if (list == lists.begin() + list_count) {
      lists[list_count++] = {*receiver, index, index};
    } else {
      next[list->last] = index;
      list->last = index;
    }
  }

  // Second pass: each destination once. A flow stays on its queue, because the sender keeps it on
  // his.
  const auto give = [&](PortNumber to, std::span<Frame* const> frames) {
    if (to >= places.size() || places[to].sinks.empty()) return false;
    places[to].sinks[queue % places[to].sinks.size()]->deliver(frames, copier);
    return true;
  };
  const auto count = [&](std::span<Frame* const> frames, bool given) {
    for (const Frame* frame : frames) {
      if (frame->failed)
        counters.drop(Drop::bad_grant);
      else if (given)
        counters.delivered(frame->size);
      else
        counters.drop(Drop::no_receiver);
    }
  };
  for (std::size_t l = 0; l < list_count; ++l) {
    std::array<Frame*, burst_size> members;
    std::size_t size = 0;
    for (std::uint8_t i = lists[l].first; i != end; i = next[i]) members[size++] = &burst[i];
    const std::span<Frame* const> frames(members.data(), size);
    count(frames, give(lists[l].to, frames));
  }
  if (flood_count == 0) return;
  const std::span<Frame* const> frames(flooded.data(), flood_count);
  bool given = false;
  for (std::size_t to = 0; to < places.size(); ++to) {
    if (to != port) given |= give(static_cast<PortNumber>(to), frames);
  }
  count(frames, given);
}

}  // namespace ringback::backend
