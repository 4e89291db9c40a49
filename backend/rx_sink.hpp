// The way to one guest: the rx ring of one queue, and a bounded backlog for when it is full. Any
// worker may deliver to it; a lock is held for one burst (VALE's way: the sender's worker does the
// receiver's work). A lock held for a burst costs less than handing frames to another thread.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>

#include "backend/backlog.hpp"
#include "backend/copier.hpp"
#include "backend/counters.hpp"
#include "backend/sink.hpp"
#include "hypervisor/event_channels.hpp"
#include "ring/netif.hpp"
#include "ring/rx_plan.hpp"

namespace ringback::backend {

class RxSink final : public Sink {
 public:
  // guest: the domain that posts the buffers. port: notified through `events`, which must be safe
  // to notify from any thread. found_broken: called once, on whichever thread finds out, and
  // under the sink's lock.
  RxSink(hypervisor::DomainId guest, ring::RxBackRing ring, hypervisor::EventChannels& events,
         hypervisor::Port port, net::Abilities abilities, std::function<void()> found_broken)
      : guest_(guest),
        ring_(ring),
        events_(events),
        port_(port),
        abilities_(abilities),
        found_broken_(std::move(found_broken)) {}

  // Puts the frames on the guest's ring, or in the backlog while it is full, or drops them with a
  // reason. What the guest did not negotiate is segmented and summed here. Frames are not kept; a
  // sender's bad grant marks its frame.
  void deliver(std::span<Frame* const> frames, Copier& copier) override;

  // Moves the backlog to the ring, as far as it goes; false: nothing moved. To be called when the
  // guest's event channel fires.
  bool drain(Copier& copier);

  // Drops what waits: the guest has gone.
  void give_up();

  // Frames wait for the guest: a port that can hold its own back should.
  bool congested() const { return congested_.load(std::memory_order_relaxed); }
  // The guest lied about its producer index.
  bool broken() const { return broken_; }

  const Counters& counters() const { return counters_; }

 private:
  bool takes(const Frame& frame) const;
  void deliver_any(Frame& frame, Copier& copier);
  void deliver_one(Frame& frame, Copier& copier);
  void deliver_in_software(Frame& frame, Copier& copier);
  bool has_slots(ring::Index needed);
  bool look_for_slots(ring::Index needed);
  bool reserve(ring::Index slots, Copier& copier);
  void took(Frame& frame, ring::Index slots);
  bool place(Frame& frame, Copier& copier);
  bool place_in_one(Frame& frame, Copier& copier);
  std::size_t place_plain(std::span<Frame* const> frames, Copier& copier);
  bool place_in_many(Frame& frame, Copier& copier);
  void hold(Frame& frame, Copier& copier);
  void finish(Copier& copier);
  void leave_out_failed(const Copier& copier);

  const hypervisor::DomainId guest_;
  ring::RxBackRing ring_;
  hypervisor::EventChannels& events_;
  const hypervisor::Port port_;
  const net::Abilities abilities_;
  const std::function<void()> found_broken_;

  std::atomic<bool> broken_ = false;  // written under the lock
  std::mutex mutex_;                  // guards all below and the ring
  // Known to be posted; the guest's index is looked at again only where they are not enough.
  ring::Index posted_ = 0;
  // Frames that have slots and are not finished, and the responses of all of them in order: one for
  // each request of the ring that is unanswered.
  struct Placed {
    Frame* frame;
    ring::Index slots;
  };
  ring::Index placed_count_ = 0;
  std::uint64_t placed_bytes_ = 0;
  std::uint64_t failures_before_ = 0;  // of the copier's, before any of these
  std::array<Placed, burst_size> placed_;
  std::array<ring::RxResponse, ring::RxBackRing::Kept::most> responses_;
  Backlog backlog_;
  std::atomic<bool> congested_ = false;  // whether the backlog has frames; written under the lock
  Counters counters_;
};

}  // namespace ringback::backend
