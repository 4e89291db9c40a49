// The guest's sending end of a queue: a tx ring, and a pool of pages that stay granted, read-only,
// as long as it lives.
//
//   while (tx.room()) { n = readv(tap, tx.buffers()); tx.put(n, offload); }  if (tx.publish())
//   notify the backend;
//
// Frames are written straight into granted pages; nothing else of this process can be read by the
// backend. Belongs to one thread. An error means that the backend lied: the rings are then to be
// given up.
#pragma once

#include <sys/uio.h>

#include <array>
#include <bitset>
#include <span>

#include "frontend/counters.hpp"
#include "hypervisor/grants.hpp"
#include "ring/netif.hpp"
#include "ring/tx_plan.hpp"

namespace ringback::frontend {

class Transmitter {
 public:
  // As many as the longest frame of a tap needs: 64 KiB of payload and its headers.
  static constexpr std::size_t frame_pages = 17;

  static Result<Transmitter> share(hypervisor::GrantSharer& sharer, hypervisor::DomainId backend);

  hypervisor::GrantRef ring_ref() const { return ring_pages_.refs().front(); }

  // Whether a frame of so many pages can be put; by default the longest.
  bool room(std::size_t pages = frame_pages) const { return ring_.free() > pages; }
  // Whether everything that was put has been answered and reaped.
  bool idle() const { return ring_.free() == ring_.size(); }

  // Where the bytes of the next frame go, page by page. Only while there is room().
  std::array<iovec, frame_pages> buffers() const;

  // One of them: where the bytes from i * 4096 of the next frame go.
  std::byte* page(std::size_t i) const {
    return pool_.bytes().data() + next_page(i) * ring::page_size;
  }

  // Puts the frame whose bytes are in buffers(); 14 <= size <= ring::max_tx_size.
  void put(std::size_t size, const net::Offload& offload);

  // True: the backend wants to be notified.
  bool publish() { return ring_.publish(); }

  // Takes the responses: their pages are free again.
  Result<void> reap(Counters::Tx& counters);

  // For a caller that waits for room: asks for an event when half of what is under way is answered.
  // True: that has happened already (or a lie).
  bool arm();

 private:
  static constexpr std::size_t slots = ring::TxFrontRing::Shared::slots_in(ring::page_size);

  Transmitter(hypervisor::SharedPages ring_pages, hypervisor::SharedPages pool);

  void put_chain(std::size_t size, const net::Offload& offload);
  std::size_t next_page(std::size_t i) const { return free_[free_count_ - 1 - i]; }

  hypervisor::SharedPages ring_pages_;
  hypervisor::SharedPages pool_;  // page i has id i
  ring::TxFrontRing ring_;
  std::array<std::uint16_t, slots> free_;  // ids, a stack: the page used last is the warmest
  std::size_t free_count_ = slots;
  std::bitset<slots> sent_;      // ids under way
  std::size_t extras_sent_ = 0;  // slots under way without an id
};

}  // namespace ringback::frontend
