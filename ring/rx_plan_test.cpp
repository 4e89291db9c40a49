#include "ring/rx_plan.hpp"

#include <doctest/doctest.h>

#include "ring/rx_chain.hpp"

using namespace ringback::ring;
using namespace ringback;

namespace {

constexpr net::Offload plain{};
constexpr net::Offload verified{net::Checksum::verified, net::Gso::none, 0};
constexpr net::Offload partial{net::Checksum::partial, net::Gso::none, 0};
constexpr net::Offload gso4{net::Checksum::partial, net::Gso::tcpv4, 1448};
constexpr net::Offload gso6{net::Checksum::partial, net::Gso::tcpv6, 1428};

// Free requests as a guest posts them; ids in no order.
struct Posted {
  std::array<RxRequest, 20> requests;
  std::array<std::uint16_t, 20> ids;
  Posted() {
    for (std::uint16_t i = 0; i < 20; ++i) {
      ids[i] = static_cast<std::uint16_t>(i * 7 % 20);
      requests[i] = {ids[i], 0, 1000u + i};
    }
  }
};

}  // namespace

TEST_CASE("a frame takes a slot for each page and one for GSO") {
  CHECK(rx_slots(1, plain) == 1);
  CHECK(rx_slots(4096, plain) == 1);
  CHECK(rx_slots(4097, plain) == 2);
  CHECK(rx_slots(4096, gso4) == 2);
  CHECK(rx_slots(max_rx_size, plain) == 17);
  CHECK(rx_slots(max_rx_size, gso6) == max_rx_slots);
}

TEST_CASE("what a backend plans is what a frontend reads") {
  const Posted posted;
  for (const std::size_t first : {0, 14, 66, 4096})
    for (const auto& offload : {plain, verified, partial, gso4, gso6})
      for (std::size_t size = first + 14; size <= max_rx_size; size += size < 20'000 ? 1 : 97) {
        if (rx_slots(size, offload, first) > max_rx_slots) continue;
        const RxPlan plan = plan_rx(size, offload, posted.requests, first);
        REQUIRE(plan.response_count == rx_slots(size, offload, first));
        if (first > 0) REQUIRE(plan.copies[0].size == first);
        const RxChain chain =
            read_rx_chain(std::span(plan.responses).first(plan.response_count), posted.ids);
        REQUIRE(chain.verdict == RxVerdict::frame);
        REQUIRE(chain.slots == plan.response_count);
        REQUIRE(chain.size == size);
        REQUIRE(chain.offload == offload);
        REQUIRE(chain.part_count == plan.copy_count);
        std::uint32_t done = 0;
        for (std::uint16_t i = 0; i < plan.copy_count; ++i) {
          const RxPart& part = chain.parts[i];
          const RxCopy& copy = plan.copies[i];
          REQUIRE(copy.gref == posted.requests[part.slot].gref);
          REQUIRE(copy.response == part.slot);
          REQUIRE(copy.frame_offset == done);
          REQUIRE(copy.size == part.size);
          REQUIRE(part.offset == 0);
          done += copy.size;
        }
        REQUIRE(done == size);
      }
}

TEST_CASE("a frame looks on the wire as netif has it") {
  const Posted posted;
  const RxPlan plan = plan_rx(9000, gso6, posted.requests);
  REQUIRE(plan.response_count == 4);
  const auto& [first, gso, second, third] =
      std::array{plan.responses[0], plan.responses[1], plan.responses[2], plan.responses[3]};
  CHECK(first.id == posted.ids[0]);
  CHECK(first.flags ==
        (NETRXF_data_validated | NETRXF_csum_blank | NETRXF_more_data | NETRXF_extra_info));
  CHECK(first.status == 4096);
  const ExtraInfo extra = as_extra(gso);
  CHECK(extra.type == XEN_NETIF_EXTRA_TYPE_GSO);
  CHECK(extra.flags == 0);
  CHECK(extra.u.gso.size == 1428);
  CHECK(extra.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6);
  CHECK(second.id == posted.ids[2]);
  CHECK(second.flags == NETRXF_more_data);
  CHECK(second.status == 4096);
  CHECK(third.id == posted.ids[3]);
  CHECK(third.flags == 0);
  CHECK(third.status == 808);
}

TEST_CASE("a partial checksum reaches the guest with both flags") {
  const Posted posted;
  CHECK(plan_rx(60, plain, posted.requests).responses[0].flags == 0);
  CHECK(plan_rx(60, verified, posted.requests).responses[0].flags == NETRXF_data_validated);
  CHECK(plan_rx(60, partial, posted.requests).responses[0].flags ==
        (NETRXF_csum_blank | NETRXF_data_validated));
}

TEST_CASE("a failed copy costs its frame and nothing else") {
  const Posted posted;
  for (std::uint16_t failed = 0; failed < 3; ++failed) {
    RxPlan plan = plan_rx(9000, gso4, posted.requests);
    plan.fail(plan.copies[failed]);
    const RxChain chain =
        read_rx_chain(std::span(plan.responses).first(plan.response_count), posted.ids);
    CHECK(chain.verdict == RxVerdict::error);
    CHECK(chain.slots == 4);
  }
}

TEST_CASE("the short way for a frame of one slot says what its plan says") {
  const Posted posted;
  for (const std::size_t size : {1, 60, 1514, 4096}) {
    for (const auto& offload : {plain, verified, partial}) {
      const auto short_way = one_slot_response(posted.requests[0].id, size, offload);
      const RxPlan plan = plan_rx(size, offload, posted.requests);
      REQUIRE(plan.response_count == 1);
      CHECK(short_way.id == plan.responses[0].id);
      CHECK(short_way.offset == plan.responses[0].offset);
      CHECK(short_way.flags == plan.responses[0].flags);
      CHECK(short_way.status == plan.responses[0].status);
    }
  }
}
