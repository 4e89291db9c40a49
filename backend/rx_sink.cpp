#include "backend/rx_sink.hpp"

#include <algorithm>

#include "net/checksum.hpp"
#include "net/segment.hpp"

namespace ringback::backend {

using net::Checksum;
using net::Gso;

namespace {

// A frontend takes the first slot for the frame's headers, and Linux's netfront for granted that
// Ethernet's are there: so much, for Ethernet, IP and TCP, is never cut.
constexpr std::size_t least_first_slot = 54;

// Where the frame's first slot is to end for the sender's pages to go to one page each. 0: the slot
// is filled, because the frame is local, fits a page, or would take more slots.
std::size_t first_cut(const Frame& frame) {
  if (frame.rest.empty() || frame.size <= ring::page_size) return 0;
  const std::size_t cut =
      (frame.head.size() + ring::page_size - frame.rest.front().offset) % ring::page_size;
  const bool costs =
      ring::rx_slots(frame.size, frame.offload, cut) > ring::rx_slots(frame.size, frame.offload);
  return costs || cut < least_first_slot ? 0 : cut;
}

// What every guest takes as it is, in one slot: most frames.
bool is_plain(const Frame& frame) {
  return !frame.failed && frame.size <= ring::page_size && frame.offload.gso == Gso::none &&
         frame.offload.checksum != Checksum::partial;
}

}  // namespace

// Whether the guest has posted so many slots; else it will notify when it has.
inline bool RxSink::has_slots(ring::Index needed) {
  return posted_ >= needed || look_for_slots(needed);
}

bool RxSink::look_for_slots(ring::Index needed) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto available = ring_.unconsumed();
    if (!available) {
      if (!broken_.exchange(true)) found_broken_();
      return false;
    }
    posted_ = *available;
    if (posted_ >= needed) return true;
    if (!ring_.final_check(needed)) return false;
  }
  return false;
}

// Makes room among what is placed for a frame of so many slots; false if the guest has not posted
// them.
inline bool RxSink::reserve(ring::Index slots, Copier& copier) {
  if (!has_slots(slots)) return false;
  if (placed_count_ == placed_.size() || ring_.unanswered() + slots > responses_.size())
    finish(copier);
  return true;
}

inline void RxSink::took(Frame& frame, ring::Index slots) {
  placed_bytes_ += frame.size;
  ring_.consume(slots);
  posted_ -= slots;
  placed_[placed_count_].frame = &frame;
  placed_[placed_count_++].slots = slots;
}

// Takes slots and appends the copies; false if there are not enough.
inline bool RxSink::place(Frame& frame, Copier& copier) {
  return frame.size <= ring::page_size && frame.offload.gso == Gso::none
             ? place_in_one(frame, copier)
             : place_in_many(frame, copier);
}

inline bool RxSink::place_in_one(Frame& frame, Copier& copier) {
  if (!reserve(1, copier)) return false;
  const ring::RxRequest request = ring_.request();
  ring::RxResponse& response = responses_[ring_.unanswered()];
  response = ring::one_slot_response(request.id, frame.size, frame.offload);
  copier.to_grant(frame, {guest_, request.gref, 0}, response);
  took(frame, 1);
  return true;
}

// As many of the first frames as are plain, and have slots and room, at one go. Returns how many.
std::size_t RxSink::place_plain(std::span<Frame* const> frames, Copier& copier) {
  // Behind a backlog there is no overtaking.
  if (!is_plain(*frames.front()) || broken_ || !backlog_.empty() || !reserve(1, copier)) return 0;
  const std::size_t most =
      std::min<std::size_t>({frames.size(), posted_, placed_.size() - placed_count_,
                             responses_.size() - ring_.unanswered()});
  std::size_t count = 1;
  while (count < most && is_plain(*frames[count])) ++count;
  std::array<ring::RxRequest, burst_size> requests;
  ring_.requests({requests.data(), count});
  ring::RxResponse* response = &responses_[ring_.unanswered()];
  Placed* placed = &placed_[placed_count_];
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i, ++response, ++placed) {
    Frame& frame = *frames[i];
    *response = ring::one_slot_response(requests[i].id, frame.size, frame.offload);
    copier.to_grant(frame, {guest_, requests[i].gref, 0}, *response);
    placed->frame = &frame;
    placed->slots = 1;
    bytes += frame.size;
  }
  ring_.consume(static_cast<ring::Index>(count));
  posted_ -= static_cast<ring::Index>(count);
  placed_count_ += static_cast<ring::Index>(count);
  placed_bytes_ += bytes;
  return count;
}

bool RxSink::place_in_many(Frame& frame, Copier& copier) {
  const std::size_t first_size = first_cut(frame);
  const ring::Index needed = ring::rx_slots(frame.size, frame.offload, first_size);
  if (!reserve(needed, copier)) return false;
  std::array<ring::RxRequest, ring::max_rx_slots> requests;
  ring_.requests({requests.data(), needed});
  const auto plan = ring::plan_rx(frame.size, frame.offload, {requests.data(), needed}, first_size);
  ring::RxResponse* const responses = &responses_[ring_.unanswered()];
  std::copy_n(plan.responses.data(), needed, responses);
  FrameReader reader(frame);
  for (std::size_t i = 0; i < plan.copy_count; ++i) {
    const ring::RxCopy& copy = plan.copies[i];
    copier.to_grant(reader, frame, {guest_, copy.gref, 0}, copy.size, responses[copy.response]);
  }
  took(frame, needed);
  return true;
}

// Whether the guest takes the frame as it is.
inline bool RxSink::takes(const Frame& frame) const {
  if (frame.offload.gso == Gso::none && frame.offload.checksum != Checksum::partial) return true;
  // Linux's netfront looks for the headers to finish right behind Ethernet's (skb_checksum_setup).
  if (net::is_tagged(frame.head) || net::is_service_tagged(frame.head)) return false;
  if (frame.offload.gso == Gso::tcpv4 && !abilities_.gso_v4) return false;
  if (frame.offload.gso == Gso::tcpv6 && !abilities_.gso_v6) return false;
  if (frame.offload.checksum != Checksum::partial) return true;
  if (abilities_.checksum_v4 && abilities_.checksum_v6) return true;
  const auto headers = net::parse_headers(frame.head, frame.size);
  const bool v6 = headers && headers->network == net::Headers::Network::ipv6;
  return v6 ? abilities_.checksum_v6 : abilities_.checksum_v4;
}

void RxSink::deliver_one(Frame& frame, Copier& copier) {
  if (frame.size > ring::max_rx_size ||
      (frame.size > ring::page_size && !abilities_.scatter_gather))
    return counters_.drop(Drop::too_big);
  if (broken_) return counters_.drop(Drop::no_receiver);
  // Behind a backlog there is no overtaking.
  if (!backlog_.empty() || !place(frame, copier)) hold(frame, copier);
}

void RxSink::deliver(std::span<Frame* const> frames, Copier& copier) {
  const std::lock_guard lock(mutex_);
  failures_before_ = copier.failures();
  while (!frames.empty()) {
    frames = frames.subspan(place_plain(frames, copier));
    if (frames.empty()) break;
    deliver_any(*frames.front(), copier);
    frames = frames.subspan(1);
  }
  finish(copier);
}

void RxSink::deliver_any(Frame& frame, Copier& copier) {
  if (frame.failed)
    counters_.drop(Drop::bad_grant);  // another receiver of it has found out
  else if (takes(frame))
    deliver_one(frame, copier);
  else
    deliver_in_software(frame, copier);
}

bool RxSink::drain(Copier& copier) {
  const std::lock_guard lock(mutex_);
  failures_before_ = copier.failures();
  bool any = false;
  while (!backlog_.empty()) {
    std::size_t moved = 0;
    std::array<Frame, burst_size> frames;  // outlive the copies that name them
    for (; moved < std::min(backlog_.size(), burst_size); ++moved) {
      Frame& frame = frames[moved];
      frame.head = backlog_.bytes(moved);
      frame.size = backlog_.entry(moved).size;
      frame.offload = backlog_.entry(moved).offload;
      if (!place(frame, copier)) break;
    }
    finish(copier);
    if (moved == 0) break;
    backlog_.pop(moved);
    any = true;
  }
  congested_.store(!backlog_.empty(), std::memory_order_relaxed);
  return any;
}

void RxSink::give_up() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < backlog_.size(); ++i) counters_.drop(Drop::no_receiver);
  backlog_.pop(backlog_.size());
  congested_.store(false, std::memory_order_relaxed);
}

void RxSink::deliver_in_software(Frame& frame, Copier& copier) {
  finish(copier);  // what is placed may still use the scratch memory
  const auto memory = copier.software_scratch();
  if (frame.size > ring::max_rx_size) return counters_.drop(Drop::too_big);
  // A place of its own also for a local frame: another receiver may still want it unfinished.
  copier.to_local(frame, memory.data());
  copier.flush();
  if (frame.failed) return counters_.drop(Drop::bad_grant);
  const auto whole = memory.first(frame.size);

  Frame part;
  part.offload.checksum = Checksum::verified;
  if (frame.offload.gso == Gso::none) {
    if (!net::finish_checksum(whole)) return counters_.drop(Drop::bad_headers);
    part.head = whole;
    part.size = frame.size;
    deliver_one(part, copier);
    return finish(copier);
  }
  net::Segmenter segmenter(whole, frame.offload.gso_size);
  if (!segmenter.valid()) return counters_.drop(Drop::bad_headers);
  const auto room = memory.subspan(ring::max_rx_size);
  while (!segmenter.done()) {
    std::size_t used = 0;
    std::array<Frame, burst_size> parts;
    for (std::size_t i = 0; i < parts.size() && !segmenter.done(); ++i) {
      if (segmenter.next_size() > room.size() - used) break;
      part.size = static_cast<std::uint32_t>(segmenter.write_next(room.subspan(used)));
      part.head = room.subspan(used, part.size);
      used += part.size;
      parts[i] = part;
      deliver_one(parts[i], copier);
    }
    finish(copier);
  }
}

void RxSink::hold(Frame& frame, Copier& copier) {
  finish(copier);
  const auto room = backlog_.reserve(frame.size);
  if (room.empty()) return counters_.drop(Drop::full);
  copier.to_local(frame, room.data());
  copier.flush();
  if (frame.failed) return counters_.drop(Drop::bad_grant);
  backlog_.push(room, frame.offload);
  congested_.store(true, std::memory_order_relaxed);
}

// Carries out the copies, then answers, publishes and notifies once for all that was placed.
void RxSink::finish(Copier& copier) {
  if (placed_count_ == 0) return;
  copier.flush();
  if (copier.failures() != failures_before_) leave_out_failed(copier);
  counters_.delivered(placed_bytes_, placed_count_);
  if (ring_.answer({responses_.data(), ring_.unanswered()})) events_.notify(port_);
  placed_count_ = 0;
  placed_bytes_ = 0;
}

// What could not be copied is answered all the same, but not counted as delivered.
void RxSink::leave_out_failed(const Copier& copier) {
  failures_before_ = copier.failures();
  const ring::RxResponse* response = responses_.data();
  ring::Index frames = 0;
  std::uint64_t bytes = 0;
  for (const Placed& placed : std::span(placed_.data(), placed_count_)) {
    bool good = true;
    for (ring::Index i = 0; i < placed.slots; ++i, ++response) good = good && response->status >= 0;
    frames += good;
    bytes += good ? placed.frame->size : 0;
    if (!good) counters_.drop(placed.frame->failed ? Drop::bad_grant : Drop::bad_receiver);
  }
  placed_count_ = frames;
  placed_bytes_ = bytes;
}

}  // namespace ringback::backend
