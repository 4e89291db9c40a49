// The guest's receiving end of a queue: an rx ring, and a granted page for each of its slots. The
// page of a slot is posted there again and again, as responses come in the order of their requests
// (netif.h).
//
//   rx.look(); while (const auto* frame = *rx.next(counters)) use it;  if (rx.repost()) notify the
//   backend;
//
// A frame's bytes stay where the backend can still write: what decides anything must be copied
// first. Belongs to one thread. An error means that the backend lied: the rings are then to be
// given up.
#pragma once

#include <sys/uio.h>

#include <array>
#include <span>

#include "frontend/counters.hpp"
#include "hypervisor/grants.hpp"
#include "ring/netif.hpp"
#include "ring/rx_chain.hpp"

namespace ringback::frontend {

class Receiver {
 public:
  static constexpr std::size_t slots = ring::RxFrontRing::Shared::slots_in(ring::page_size);

  // The parts are valid until repost().
  struct Frame {
    std::uint32_t size = 0;
    net::Offload offload;
    std::uint16_t part_count = 0;
    std::array<iovec, ring::max_rx_slots> parts;

    std::span<const iovec> view() const { return {parts.data(), part_count}; }
  };

  // With every page posted.
  static Result<Receiver> share(hypervisor::GrantSharer& sharer, hypervisor::DomainId backend);

  hypervisor::GrantRef ring_ref() const { return ring_pages_.refs().front(); }

  // Takes a private copy of the responses that are there.
  Result<void> look();

  // The next frame of what look() saw, valid until the next call; null when there is no whole one
  // left.
  Result<const Frame*> next(Counters::Rx& counters);

  // Slots that next() has taken since repost().
  std::size_t taken() const { return ring_.free(); }

  // Posts their pages again. True: the backend wants to be notified.
  bool repost();

  // Before sleep: true if there is more than the unfinished frame that next() has seen (or a lie).
  bool arm() { return ring_.final_check(1 + seen_ - read_); }

 private:
  // The backend's last write may still be in another core's cache: asked for so many frames ahead
  // it is here when its turn comes.
  static constexpr ring::Index prefetched_ahead = 8;

  Receiver(hypervisor::SharedPages ring_pages, hypervisor::SharedPages pages);
  std::byte* page(std::uint16_t slot) const {
    return pages_.bytes().data() + slot * ring::page_size;
  }

  hypervisor::SharedPages ring_pages_;
  hypervisor::SharedPages pages_;  // page i belongs to slot i and has id i
  ring::RxFrontRing ring_;
  ring::Index posted_ = 0;
  ring::Index seen_ = 0;  // responses copied by look()
  ring::Index read_ = 0;  // of those, taken by next()
  std::array<ring::RxResponse, slots> responses_;
  std::array<std::uint16_t, slots> ids_;
  Frame frame_;
};

}  // namespace ringback::frontend
