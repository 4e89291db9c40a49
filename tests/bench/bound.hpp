// The bound: what rings and memory allow. The same rings, slots and pages as the switch has to deal
// with, one look-up and one copy a frame; but nothing is checked, learned or counted, and every
// page is at hand.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "guest.hpp"

namespace ringback::bench {

class Bound {
 public:
  // One direction. The guests outlive it.
  Bound(const Guest& from, const Guest& to)
      : sent_(by_ref(from.tx_pages)),
        posted_(by_ref(to.rx_pages)),
        tx_(*ring::TxBackRing::attach(from.rings.page(0))),
        rx_(*ring::RxBackRing::attach(to.rings.page(1))) {
    known_[to.domain] = mac_of(to.domain);
  }

  void forward() {
    const ring::Index count = std::min({*tx_.unconsumed(), *rx_.unconsumed(), most});
    std::size_t left = 0;
    for (ring::Index i = 0; i < count; ++i) {
      const auto request = tx_.request(i);
      const auto buffer = rx_.request(i);
      const std::byte* const source = sent_[request.gref] + request.offset;
      if (left == 0) {
        left = request.size;
        if (std::memcmp(known_[std::to_integer<std::uint8_t>(source[5])].data(), source, 6) != 0)
          return;
      }
      const std::size_t size = std::min<std::size_t>(left, ring::page_size);
      left -= size;
      std::memcpy(posted_[buffer.gref], source, size);
      answers_[i] = {.id = request.id, .status = NETIF_RSP_OKAY};
      frames_[i] = {.id = buffer.id,
                    .offset = 0,
                    .flags = static_cast<std::uint16_t>(left > 0 ? NETRXF_more_data : 0),
                    .status = static_cast<std::int16_t>(size)};
    }
    tx_.consume(count);
    rx_.consume(count);
    for (ring::Index i = 0; i < count; ++i) {
      tx_.respond(answers_[i]);
      rx_.respond(frames_[i]);
    }
    tx_.publish();
    rx_.publish();
  }

 private:
  static constexpr ring::Index most = 256;
  static std::vector<std::byte*> by_ref(const hypervisor::SharedPages& pages) {
    std::vector<std::byte*> all;
    for (std::size_t i = 0; i < pages.refs().size(); ++i) {
      all.resize(std::max<std::size_t>(all.size(), pages.refs()[i] + 1));
      all[pages.refs()[i]] = pages.page(i).data();
    }
    return all;
  }

  const std::vector<std::byte*> sent_;
  const std::vector<std::byte*> posted_;
  ring::TxBackRing tx_;
  ring::RxBackRing rx_;
  std::array<Mac, 256> known_{};
  std::array<ring::TxResponse, most> answers_;
  std::array<ring::RxResponse, most> frames_;
};

}  // namespace ringback::bench
