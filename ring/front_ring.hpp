// The frontend's end of a shared ring: puts requests, takes responses. It trusts its backend as
// little as the backend trusts it. Belongs to one thread at a time; never blocks or allocates.
#pragma once

#include <optional>

#include "ring/shared_ring.hpp"

namespace ringback::ring {

template <class Request, class Response>
class FrontRing {
 public:
  using Shared = SharedRing<Request, Response>;

  // Initialises fresh shared pages, before their grants are published to the backend.
  static FrontRing initialise(std::span<std::byte> pages) {
    Shared shared(pages);
    shared.initialise();
    return FrontRing(shared, 0);
  }

  // Goes on with an idle ring, as after a resume: everything before `index` has been answered and
  // taken, nothing behind it was ever published.
  static FrontRing attach(std::span<std::byte> pages, Index index) {
    return FrontRing(Shared(pages), index);
  }

  Index size() const { return shared_.size(); }

  // Slots that a request can be put in: those whose responses have been taken.
  Index free() const { return size() - (req_prod_ - rsp_cons_); }

  // Writes the next request, unpublished; only while free() > 0. Returns its index.
  Index put(const Request& request) {
    shared_.copy_to(req_prod_, request);
    return req_prod_++;
  }

  // So many, likewise; the i-th is make(i).
  template <class Make>
  void put(Index count, Make&& make) {
    Shared shared = shared_;  // as in responses()
    Index index = req_prod_;
    for (Index i = 0; i < count; ++i) shared.copy_to(index++, Request(make(i)));
    req_prod_ = index;
  }

  // Makes the requests visible. True if the backend asked to be notified of one of them.
  bool publish() {
    const Index from = published_;
    if (from == req_prod_) return false;
    published_ = req_prod_;
    return wants_event(from, published_, shared_.publish_req_prod(published_));
  }

  // How many responses can be taken now. Nothing if the backend answers more than was asked, or
  // goes back.
  std::optional<Index> unconsumed() const { return judge(shared_.rsp_prod()); }

  // A private copy of the response `ahead` places past the next one; ahead < unconsumed(). It lies
  // in the slot of request next_response() + ahead.
  Response response(Index ahead = 0) const {
    return shared_.template copy_from<Response>(rsp_cons_ + ahead);
  }
  // Private copies of so many, likewise; ahead + to.size() <= unconsumed().
  void responses(std::span<Response> to, Index ahead = 0) const {
    const Shared shared = shared_;  // else it is read anew behind each atomic access
    Index index = rsp_cons_ + ahead;
    for (Response& response : to) shared.copy_from(index++, response);
  }
  Index next_response() const { return rsp_cons_; }
  void consume(Index count) { rsp_cons_ += count; }

  // Asks to be notified `batch` responses from now (no more than are outstanding), then looks once
  // more. True: there is work (or a lie); false: safe to sleep.
  bool final_check(Index batch = 1) {
    const auto now = unconsumed();
    if (!now || *now >= batch) return true;
    const auto then = judge(shared_.arm_rsp_event(rsp_cons_ + batch));
    return !then || *then >= batch;
  }

 private:
  FrontRing(Shared shared, Index start)
      : shared_(shared), req_prod_(start), published_(start), rsp_cons_(start) {}

  std::optional<Index> judge(Index rsp_prod) const {
    const Index ready = rsp_prod - rsp_cons_;
    if (ready > published_ - rsp_cons_) return std::nullopt;
    return ready;
  }

  Shared shared_;
  Index req_prod_;
  Index published_;
  Index rsp_cons_;
};

}  // namespace ringback::ring
