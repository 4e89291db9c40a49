#include "ring/front_ring.hpp"

#include <doctest/doctest.h>

#include "ring/netif.hpp"
#include "ring/test_pages.hpp"

using namespace ringback::ring;
using test::Pages;

namespace {

RxFrontRing idle_front(Pages& pages, Index start) {
  pages.idle_at(start);
  return RxFrontRing::attach(pages.bytes(), start);
}

void put(RxFrontRing& ring, Index count) {
  for (Index i = 0; i < count; ++i) ring.put({static_cast<std::uint16_t>(i), 0, i});
}

}  // namespace

TEST_CASE("a slot is free again once its response has been taken") {
  for (const Index start : test::starts) {
    Pages pages;
    auto ring = idle_front(pages, start);
    CHECK(ring.free() == 256);
    CHECK(ring.put({}) == start);
    put(ring, 255);
    CHECK(ring.free() == 0);
    ring.publish();
    pages.set_rsp_prod(start + 10);
    CHECK(ring.free() == 0);
    ring.consume(10);
    CHECK(ring.free() == 10);
    CHECK(ring.next_response() == start + 10);
  }
}

TEST_CASE("a backend that answers more than was asked is reported") {
  for (const Index start : test::starts)
    for (Index published : {0, 1, 100, 256})
      for (Index consumed : {0, 1, 100, 256}) {
        if (consumed > published) continue;
        Pages pages;
        auto ring = idle_front(pages, start);
        put(ring, published);
        ring.publish();
        ring.consume(consumed);
        if (ring.free() > 0) put(ring, 1);  // unpublished: no answer to it can be true
        for (int distance = -600; distance <= 600; ++distance) {
          pages.set_rsp_prod(start + static_cast<Index>(distance));
          const int ready = distance - static_cast<int>(consumed);
          const bool true_claim = ready >= 0 && distance <= static_cast<int>(published);
          const auto unconsumed = ring.unconsumed();
          REQUIRE(unconsumed.has_value() == true_claim);
          if (true_claim) REQUIRE(*unconsumed == static_cast<Index>(ready));
          if (!true_claim) REQUIRE(ring.final_check());
        }
      }
}

TEST_CASE("a frontend notifies only for a request that was asked for") {
  for (const Index start : test::starts)
    for (Index event = 0; event <= 12; ++event) {
      Pages pages;
      auto ring = idle_front(pages, start);
      pages.set_req_event(start + event);
      CHECK_FALSE(ring.publish());  // nothing to publish
      put(ring, 4);
      CHECK(pages.req_prod() == start);
      CHECK(ring.publish() == (event >= 1 && event <= 4));
      CHECK(pages.req_prod() == start + 4);
      put(ring, 6);
      CHECK(ring.publish() == (event >= 5 && event <= 10));
    }
}

TEST_CASE("the final check for responses arms the event a batch ahead and looks again") {
  for (const Index start : test::starts)
    for (Index batch = 1; batch <= 8; ++batch)
      for (Index ready = 0; ready <= 8; ++ready) {
        Pages pages;
        auto ring = idle_front(pages, start);
        put(ring, 8);
        ring.publish();
        pages.set_rsp_event(start);
        pages.set_rsp_prod(start + ready);
        CHECK(ring.final_check(batch) == (ready >= batch));
        CHECK(pages.rsp_event() == (ready >= batch ? start : start + batch));
      }
}

TEST_CASE("a ring of another device has its own sizes") {
  struct Request {
    std::uint32_t words[16];
  };
  struct Response {
    std::uint32_t id;
    std::uint32_t status;
  };
  Pages pages(2);
  auto front = FrontRing<Request, Response>::initialise(pages.bytes());
  auto back = BackRing<Request, Response>::attach(pages.bytes());
  REQUIRE(back.has_value());
  CHECK(front.size() == 64);
  CHECK(back->size() == 64);
  for (std::uint32_t round = 0; round < 10; ++round) {
    while (front.free() > 0) front.put({{round, front.free()}});
    CHECK(front.publish());
    CHECK(back->unconsumed() == 64);
    for (std::uint32_t i = 0; i < 64; ++i) {
      CHECK(back->request(i).words[0] == round);
      CHECK(back->request(i).words[1] == 64 - i);
    }
    back->consume(64);
    for (std::uint32_t i = 0; i < 64; ++i) back->respond({i, round});
    CHECK(back->publish());
    for (std::uint32_t i = 0; i < 64; ++i) {
      CHECK(front.response(i).id == i);
      CHECK(front.response(i).status == round);
    }
    front.consume(64);
    CHECK_FALSE(front.final_check());
    CHECK_FALSE(back->final_check());
  }
}
