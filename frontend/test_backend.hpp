// A backend for the frontend's tests: the other ends of a queue's rings, on a simulated hypervisor.
// It plays by the rules; a test that wants it to lie reaches for its rings.
#pragma once

#include <deque>
#include <stdexcept>
#include <vector>

#include "hypervisor/simulated.hpp"
#include "ring/netif.hpp"
#include "ring/rx_plan.hpp"
#include "ring/tx_chain.hpp"

namespace ringback::frontend::test {

inline constexpr hypervisor::DomainId backend_domain = 0;
inline constexpr hypervisor::DomainId guest_domain = 1;

struct Frame {
  std::vector<std::byte> bytes;
  net::Offload offload;
  friend bool operator==(const Frame&, const Frame&) = default;
};

// A ring page, mapped as the backend would.
template <class Ring>
class MappedRing {
 public:
  MappedRing(hypervisor::Simulated& world, hypervisor::GrantRef ref)
      : user_(world.grant_user(backend_domain)),
        mapping_(
            user_->map(guest_domain, std::span(&ref, 1), hypervisor::Access::read_write).value()),
        ring(Ring::attach(mapping_.bytes()).value()) {}

  // Claims responses up to there, whatever was asked.
  void lie(ring::Index rsp_prod) {
    typename Ring::Shared(mapping_.bytes()).publish_rsp_prod(rsp_prod);
  }

 protected:
  void copy(hypervisor::Copy copy) {
    if (!user_->copy(std::span(&copy, 1)) || copy.status != GNTST_okay)
      throw std::runtime_error("a grant copy failed");
  }

 private:
  std::unique_ptr<hypervisor::GrantUser> user_;
  hypervisor::Mapping mapping_;

 public:
  Ring ring;  // attached to the mapping, so after it
};

class TestTxBackend : public MappedRing<ring::TxBackRing> {
 public:
  using MappedRing::MappedRing;

  // Takes every frame that is there. They are not answered yet.
  std::vector<Frame> take() {
    std::vector<Frame> frames;
    std::vector<ring::TxRequest> requests;
    for (ring::Index i = 0; i < ring.unconsumed().value(); ++i) requests.push_back(ring.request(i));
    for (std::span<const ring::TxRequest> left = requests; !left.empty();) {
      const auto chain = ring::read_tx_chain(left);
      if (chain.verdict != ring::TxVerdict::frame) throw std::runtime_error(describe(chain.fault));
      Frame frame{std::vector<std::byte>(chain.size), chain.offload};
      std::size_t done = 0;
      for (const auto& piece : chain.view()) {
        copy(hypervisor::make_copy(hypervisor::GrantEnd{guest_domain, piece.gref, piece.offset},
                                   hypervisor::LocalEnd{frame.bytes.data() + done}, piece.size));
        done += piece.size;
      }
      for (std::size_t i = 0; i < chain.slots; ++i)
        taken_.push_back({left[i].id, i >= 1 && i <= chain.extras});
      left = left.subspan(chain.slots);
      frames.push_back(std::move(frame));
    }
    ring.consume(static_cast<ring::Index>(requests.size()));
    return frames;
  }

  std::size_t unanswered() const { return taken_.size(); }

  // Answers up to so many of the slots taken, in order. True: the frontend wants to be notified.
  bool answer(std::size_t slots, std::int16_t status = NETIF_RSP_OKAY) {
    for (; slots > 0 && !taken_.empty(); --slots) {
      const auto [id, extra] = taken_.front();
      taken_.pop_front();
      ring.respond({.id = id, .status = extra ? std::int16_t{NETIF_RSP_NULL} : status});
    }
    return ring.publish();
  }
  bool answer_all() { return answer(unanswered()); }

 private:
  struct Taken {
    std::uint16_t id;
    bool extra;
  };
  std::deque<Taken> taken_;
};

class TestRxBackend : public MappedRing<ring::RxBackRing> {
 public:
  using MappedRing::MappedRing;

  // False: the frontend has not posted buffers enough.
  bool give(const Frame& frame) {
    const auto slots = ring::rx_slots(frame.bytes.size(), frame.offload);
    if (ring.unconsumed().value() < slots) return false;
    std::vector<ring::RxRequest> requests;
    for (ring::Index i = 0; i < slots; ++i) requests.push_back(ring.request(i));
    ring.consume(slots);
    const auto plan = ring::plan_rx(frame.bytes.size(), frame.offload, requests);
    auto bytes = frame.bytes;
    for (std::size_t i = 0; i < plan.copy_count; ++i) {
      const auto& part = plan.copies[i];
      copy(hypervisor::make_copy(hypervisor::LocalEnd{bytes.data() + part.frame_offset},
                                 hypervisor::GrantEnd{guest_domain, part.gref, 0}, part.size));
    }
    for (std::size_t i = 0; i < plan.response_count; ++i) ring.respond(plan.responses[i]);
    ring.publish();
    return true;
  }

  // Answers the next request as a test likes.
  void respond(std::uint16_t flags, std::int16_t status, int id_off_by = 0) {
    const auto id = static_cast<std::uint16_t>(ring.request().id + id_off_by);
    ring.consume(1);
    ring.respond({.id = id, .offset = 0, .flags = flags, .status = status});
    ring.publish();
  }
};

}  // namespace ringback::frontend::test
