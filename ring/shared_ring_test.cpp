#include <doctest/doctest.h>

#include <algorithm>

#include "ring/netif.hpp"
#include "ring/test_pages.hpp"

using namespace ringback::ring;
using test::Pages;

namespace {

// A block device's request is about this long.
struct LongRequest {
  std::uint32_t words[16];
};
struct ShortResponse {
  std::uint32_t word;
};
using LongRing = SharedRing<LongRequest, ShortResponse>;

struct Aligned {
  std::uint64_t word;
};
struct Unaligned {
  std::uint32_t words[3];
};

}  // namespace

TEST_CASE("a ring has as many slots as Xen's own macro says") {
  using Tx = TxBackRing::Shared;
  using Rx = RxBackRing::Shared;
  for (std::size_t pages : {1, 2, 4, 8, 16}) {
    const std::size_t bytes = pages * page_size;
    CHECK(Tx::slots_in(bytes) == __CONST_RING_SIZE(netif_tx, bytes));
    CHECK(Rx::slots_in(bytes) == __CONST_RING_SIZE(netif_rx, bytes));
  }
  CHECK(Tx::slots_in(page_size) == 256);
  CHECK(Rx::slots_in(page_size) == 256);
  CHECK(LongRing::slots_in(page_size) == 32);
  CHECK(LongRing::slots_in(4 * page_size) == 128);
  CHECK(Tx::header_size == offsetof(netif_tx_sring, ring));
}

TEST_CASE("a slot is as long as the union of its request and its response") {
  CHECK(TxBackRing::Shared::slot_size == sizeof(netif_tx_sring_entry));
  CHECK(RxBackRing::Shared::slot_size == sizeof(netif_rx_sring_entry));
  CHECK(LongRing::slot_size == 64);
  CHECK(SharedRing<Unaligned, Aligned>::slot_size == 16);
}

TEST_CASE("memory too small for a slot is a ring of none") {
  CHECK(TxBackRing::Shared::slots_in(0) == 0);
  CHECK(TxBackRing::Shared::slots_in(64) == 0);
  CHECK(TxBackRing::Shared::slots_in(75) == 0);
  CHECK(TxBackRing::Shared::slots_in(76) == 1);
  std::array<std::byte, 64> header{};
  CHECK_FALSE(TxBackRing::attach(std::span(header).first(0)).has_value());
}

TEST_CASE("a fresh ring asks for an event on the first message of each side") {
  Pages pages;
  std::ranges::fill(pages.bytes(), std::byte{0xee});
  TxFrontRing::initialise(pages.bytes());
  CHECK(pages.req_prod() == 0);
  CHECK(pages.req_event() == 1);
  CHECK(pages.rsp_prod() == 0);
  CHECK(pages.rsp_event() == 1);
  CHECK(
      std::ranges::all_of(pages.bytes().subspan(16, 48), [](auto b) { return b == std::byte{}; }));
}

TEST_CASE("an event is wanted exactly when the published range holds the event index") {
  for (const Index from : test::starts)
    for (Index count = 0; count <= 5; ++count)
      for (int distance = -3; distance <= 8; ++distance) {
        const Index event = from + static_cast<Index>(distance);
        const bool held = distance > 0 && distance <= static_cast<int>(count);
        CHECK(wants_event(from, from + count, event) == held);
      }
}

TEST_CASE("a written slot leaves no old byte") {
  Pages pages;
  std::ranges::fill(pages.bytes(), std::byte{0xee});
  LongRing ring(pages.bytes());
  ring.copy_to(3, ShortResponse{0x01020304});
  const auto slot = pages.bytes().subspan(64 + 3 * 64, 64);
  CHECK(ring.copy_from<ShortResponse>(3).word == 0x01020304);
  CHECK(std::ranges::all_of(slot.subspan(4), [](auto b) { return b == std::byte{}; }));
  CHECK(pages.bytes()[64 + 3 * 64 - 1] == std::byte{0xee});
  CHECK(pages.bytes()[64 + 4 * 64] == std::byte{0xee});
}

TEST_CASE("every slot of a ring of several pages is its own") {
  Pages pages(4);
  LongRing ring(pages.bytes());
  for (Index i = 0; i < ring.size(); ++i) {
    LongRequest request{};
    std::ranges::fill(request.words, i);
    ring.copy_to(i, request);
  }
  for (Index i = 0; i < ring.size(); ++i) {
    const auto request = ring.copy_from<LongRequest>(i + ring.size());
    CHECK(std::ranges::all_of(request.words, [i](auto word) { return word == i; }));
  }
}
