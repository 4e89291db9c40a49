// The backend's end of a shared ring: takes requests, gives responses in order.
//
//   if (auto n = ring.unconsumed()) {
//     ring.requests({mine, *n}) ...
//     ring.consume(*n);
//     for (i < *n) ring.respond(...);
//   }
//   if (ring.publish()) notify the peer;
//   if (!ring.final_check()) sleep until the event channel fires;
//
// A response takes the place of a request in the shared pages. Who may be killed between writing
// responses and publishing them, and is to be followed by another, uses answer() instead, with
// memory that outlives the process.
//
// Belongs to one thread at a time. Never blocks, allocates, or trusts: a peer that lies about its
// producer index is reported, and the ring then stays as it is.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

#include "ring/shared_ring.hpp"

namespace ringback::ring {

template <class Request, class Response>
class BackRing {
 public:
  using Shared = SharedRing<Request, Response>;

  // The responses that are being given. Zeroed for a fresh ring: a promise that was made for
  // another would be kept in it.
  struct Kept {
    static constexpr Index most = 256;
    std::uint64_t promise = 0;  // the first one's index, and how many there are above bit 32
    std::array<Response, most> responses;
  };

  // Attaches to pages that a frontend has initialised, at the shared rsp_prod: 0 on a fresh ring,
  // and the exact place to go on from after a restart of the backend. Nothing if the frontend
  // claims more requests than the ring has slots, or if the pages hold no slot. kept: where given,
  // outlives the ring and the process. What the one before this had promised there is published;
  // the peer is then to be notified, whatever it asked for.
  static std::optional<BackRing> attach(std::span<std::byte> pages, Kept* kept = nullptr) {
    Shared shared(pages);
    const Index start = shared.rsp_prod();
    const Index posted = shared.req_prod() - start;
    if (shared.size() == 0 || posted > shared.size()) return std::nullopt;
    BackRing ring(shared, start, kept);
    if (kept != nullptr) ring.keep_promise(*kept, posted);
    return ring;
  }

  Index size() const { return shared_.size(); }

  // How many requests can be taken now. Nothing if the producer index is further ahead than the
  // ring is long, or went back: a hostile or broken peer, to be disconnected, never to be clamped
  // (XSA-39).
  std::optional<Index> unconsumed() const { return judge(shared_.req_prod()); }

  // A private copy of the request `ahead` places past the next one; ahead < unconsumed().
  Request request(Index ahead = 0) const {
    return shared_.template copy_from<Request>(req_cons_ + ahead);
  }
  // Private copies of so many, likewise; ahead + to.size() <= unconsumed().
  void requests(std::span<Request> to, Index ahead = 0) const {
    const Shared shared = shared_;  // else it is read anew behind each atomic access
    Index index = req_cons_ + ahead;
    for (Request& request : to) shared.copy_from(index++, request);
  }
  void consume(Index count) { req_cons_ += count; }

  // Requests that were consumed and not yet answered.
  Index unanswered() const { return req_cons_ - rsp_prod_; }

  // Writes the next response into its slot, unpublished; only while unanswered() > 0.
  void respond(const Response& response) { shared_.copy_to(rsp_prod_++, response); }

  // Makes the responses visible. True if the peer asked to be notified of one of them.
  bool publish() {
    const Index from = published_;
    if (from == rsp_prod_) return false;
    published_ = rsp_prod_;
    return wants_event(from, published_, shared_.publish_rsp_prod(published_));
  }

  // Gives these responses, at most Kept::most, to the next unanswered requests, and publishes them.
  // True if the peer asked to be notified. With kept memory a process that dies here, at whatever
  // instruction, has answered none of them, or the next one answers all (tests/models/restart.pml).
  bool answer(std::span<const Response> responses) {
    if (kept_ != nullptr && !responses.empty()) {
      std::copy(responses.begin(), responses.end(), kept_->responses.begin());
      make_promise(*kept_, std::uint64_t{responses.size()} << 32 | rsp_prod_);
    }
    Shared shared = shared_;
    Index index = rsp_prod_;
    for (const Response& response : responses) shared.copy_to(index++, response);
    rsp_prod_ = index;
    return publish();
  }

  // Asks to be notified `batch` requests from now (no more than the ring has room for), then looks
  // once more. True: there is work (or a lie), go on; false: safe to sleep. Skipping this loses
  // wake-ups (tests/models/ring.pml, NO_RECHECK).
  bool final_check(Index batch = 1) {
    const auto now = unconsumed();
    if (!now || *now >= batch) return true;
    const auto then = judge(shared_.arm_req_event(req_cons_ + batch));
    return !then || *then >= batch;
  }

 private:
  BackRing(Shared shared, Index start, Kept* kept)
      : shared_(shared), kept_(kept), req_cons_(start), rsp_prod_(start), published_(start) {}

  // A process that is killed leaves behind what its instructions have stored until then. So it is
  // their order that counts, not what another processor sees when.
  static void make_promise(Kept& kept, std::uint64_t promise) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::atomic_ref(kept.promise).store(promise, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // One that was kept is behind rsp_prod.
  void keep_promise(const Kept& kept, Index posted) {
    const auto from = static_cast<Index>(kept.promise);
    const auto count = static_cast<Index>(kept.promise >> 32);
    if (from != rsp_prod_ || count > Kept::most || count > posted) return;
    consume(count);
    for (Index i = 0; i < count; ++i) respond(kept.responses[i]);
    publish();
  }

  std::optional<Index> judge(Index req_prod) const {
    const Index ready = req_prod - req_cons_;
    if (ready > size() - unanswered()) return std::nullopt;
    return ready;
  }

  Shared shared_;
  Kept* kept_;
  Index req_cons_;
  Index rsp_prod_;
  Index published_;
};

}  // namespace ringback::ring
