// The bound: what rings and memory allow. The same rings, slots and pages as the switch has to deal
// with, one look-up and one copy a frame; but nothing is checked, learned or counted, and every
// page is at hand.
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <vector>

#include "guest.hpp"

namespace ringback::bench {

class Bound {
 public:
  // From the first to the second, from the third to the fourth, and so on. The guests outlive it.
  explicit Bound(const std::vector<const Guest*>& guests) {
    for (const Guest* guest : guests) {
      keep(guest->tx_pages, pages_[guest->domain]);
      keep(guest->rx_pages, pages_[guest->domain]);
    }
    for (std::size_t g = 0; g + 1 < guests.size(); g += 2) {
      const Guest& from = *guests[g];
      const Guest& to = *guests[g + 1];
      ways_.push_back({pages_[from.domain], pages_[to.domain],
                       *ring::TxBackRing::attach(from.rings.page(0)),
                       *ring::RxBackRing::attach(to.rings.page(1))});
    }
  }
  // Whom frames are for, up to this number.
  void know(std::uint32_t last) {
    for (auto number = static_cast<std::uint32_t>(known_.size()); number <= last; ++number)
      known_.push_back(mac_of(number));
  }

  void forward() {
    for (Way& way : ways_) forward(way);
  }

 private:
  static constexpr ring::Index most = 256;
  using Pages = std::vector<std::byte*>;  // by grant reference
  struct Way {
    const Pages& sent;
    const Pages& posted;
    ring::TxBackRing tx;
    ring::RxBackRing rx;
  };

  void forward(Way& way) {
    const ring::Index count = std::min({*way.tx.unconsumed(), *way.rx.unconsumed(), most});
    // Here, for what is copied might be anything.
    std::byte* const* const sent = way.sent.data();
    std::byte* const* const posted = way.posted.data();
    const Mac* const known = known_.data();
    std::size_t left = 0;
    way.tx.requests(std::span(requests_).first(count));
    way.rx.requests(std::span(buffers_).first(count));
    for (ring::Index i = 0; i < count; ++i) {
      const ring::TxRequest& request = requests_[i];
      const ring::RxRequest& buffer = buffers_[i];
      const std::byte* const source = sent[request.gref] + request.offset;
      if (left == 0) {
        left = request.size;
        const std::size_t number = std::to_integer<std::size_t>(source[3]) << 16 |
                                   std::to_integer<std::size_t>(source[4]) << 8 |
                                   std::to_integer<std::size_t>(source[5]);
        if (std::memcmp(known[number].data(), source, 6) != 0) return;
      }
      const std::size_t size = std::min<std::size_t>(left, ring::page_size);
      left -= size;
      std::memcpy(posted[buffer.gref], source, size);
      answers_[i] = {.id = request.id, .status = NETIF_RSP_OKAY};
      frames_[i] = {.id = buffer.id,
                    .offset = 0,
                    .flags = static_cast<std::uint16_t>(left > 0 ? NETRXF_more_data : 0),
                    .status = static_cast<std::int16_t>(size)};
    }
    way.tx.consume(count);
    way.rx.consume(count);
    way.tx.answer(std::span(answers_).first(count));
    way.rx.answer(std::span(frames_).first(count));
  }
  static void keep(const hypervisor::SharedPages& pages, Pages& by_ref) {
    for (std::size_t i = 0; i < pages.refs().size(); ++i) {
      by_ref.resize(std::max<std::size_t>(by_ref.size(), pages.refs()[i] + 1));
      by_ref[pages.refs()[i]] = pages.page(i).data();
    }
  }

  std::map<hypervisor::DomainId, Pages> pages_;
  std::vector<Way> ways_;
  std::vector<Mac> known_;  // by number
  std::array<ring::TxRequest, most> requests_;
  std::array<ring::RxRequest, most> buffers_;
  std::array<ring::TxResponse, most> answers_;
  std::array<ring::RxResponse, most> frames_;
};

}  // namespace ringback::bench
