#include "ring/back_ring.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "ring/netif.hpp"
#include "ring/test_pages.hpp"

using namespace ringback::ring;
using test::Pages;

namespace {

TxBackRing attach(Pages& pages) {
  auto ring = TxBackRing::attach(pages.bytes());
  REQUIRE(ring.has_value());
  return *ring;
}

void answer(TxBackRing& ring, Index count) {
  for (Index i = 0; i < count; ++i) ring.respond({static_cast<std::uint16_t>(i), NETIF_RSP_OKAY});
}

}  // namespace

TEST_CASE("a backend attaches at the shared rsp_prod and finds what is unanswered") {
  for (const Index start : test::starts) {
    Pages pages;
    pages.idle_at(start);
    pages.set_req_prod(start + 7);
    auto ring = attach(pages);
    CHECK(ring.unconsumed() == 7);
    CHECK(ring.unanswered() == 0);
  }
}

TEST_CASE("a backend does not attach to a ring that claims more requests than it has slots") {
  for (const Index start : test::starts) {
    Pages pages;
    pages.idle_at(start);
    pages.set_req_prod(start + 256);
    CHECK(TxBackRing::attach(pages.bytes()).has_value());
    for (const Index claim : {Index{257}, Index{0x80000000}, Index{0xffffffff}}) {
      pages.set_req_prod(start + claim);
      CHECK_FALSE(TxBackRing::attach(pages.bytes()).has_value());
    }
  }
}

TEST_CASE("a frontend that lies about req_prod is reported") {
  for (const Index start : test::starts)
    for (Index consumed : {0, 1, 100, 255, 256})
      for (Index answered : {0, 1, 100, 255, 256}) {
        if (answered > consumed) continue;
        Pages pages;
        pages.idle_at(start);
        auto ring = attach(pages);
        pages.set_req_prod(start + 256);
        ring.consume(consumed);
        answer(ring, answered);
        for (int distance = -600; distance <= 600; ++distance) {
          pages.set_req_prod(start + static_cast<Index>(distance));
          const int ready = distance - static_cast<int>(consumed);
          const bool true_claim = ready >= 0 && distance <= 256 + static_cast<int>(answered);
          const auto unconsumed = ring.unconsumed();
          REQUIRE(unconsumed.has_value() == true_claim);
          if (true_claim) REQUIRE(*unconsumed == static_cast<Index>(ready));
          if (!true_claim) REQUIRE(ring.final_check());
        }
      }
}

TEST_CASE("requests are read and answered in order across the wrap") {
  for (const Index start : test::starts) {
    Pages pages(2);
    pages.idle_at(start);
    auto front = TxFrontRing::attach(pages.bytes(), start);
    auto back = attach(pages);
    CHECK(back.size() == 512);
    for (std::uint32_t i = 0; i < 512; ++i) front.put({i, 1, 2, 3, 4});
    front.publish();
    REQUIRE(back.unconsumed() == 512);
    CHECK(back.request(511).gref == 511);
    for (std::uint32_t i = 0; i < 512; ++i) {
      CHECK(back.request().gref == i);
      back.consume(1);
      back.respond({static_cast<std::uint16_t>(i), NETIF_RSP_ERROR});
    }
    CHECK(back.unanswered() == 0);
    CHECK(front.unconsumed() == 0);  // not published yet
    back.publish();
    REQUIRE(front.unconsumed() == 512);
    for (std::uint16_t i = 0; i < 512; ++i) CHECK(front.response(i).id == i);
  }
}

TEST_CASE("a request is read from its slot once however often the peer writes") {
  Pages pages;
  auto front = TxFrontRing::initialise(pages.bytes());
  auto back = attach(pages);
  front.put({1, 0, 0, 7, 100});
  front.publish();
  const TxRequest request = back.request();
  pages.bytes()[64 + 10] = std::byte{0xff};  // its size
  CHECK(request.size == 100);
  CHECK(back.request().size == 255);
}

TEST_CASE("a backend notifies only for a response that was asked for") {
  for (const Index start : test::starts)
    for (Index event = 0; event <= 12; ++event) {
      Pages pages;
      pages.idle_at(start);
      auto ring = attach(pages);
      pages.set_req_prod(start + 10);
      pages.set_rsp_event(start + event);
      ring.consume(10);
      CHECK_FALSE(ring.publish());  // nothing to publish
      answer(ring, 4);
      CHECK(ring.publish() == (event >= 1 && event <= 4));
      CHECK(pages.rsp_prod() == start + 4);
      CHECK_FALSE(ring.publish());
      answer(ring, 6);
      CHECK(ring.publish() == (event >= 5 && event <= 10));
      CHECK(pages.rsp_prod() == start + 10);
    }
}

TEST_CASE("the final check arms the event a batch ahead and looks again") {
  for (const Index start : test::starts)
    for (Index batch = 1; batch <= 8; ++batch)
      for (Index ready = 0; ready <= 8; ++ready) {
        Pages pages;
        pages.idle_at(start);
        auto ring = attach(pages);
        pages.set_req_event(start);
        pages.set_req_prod(start + ready);
        CHECK(ring.final_check(batch) == (ready >= batch));
        // With enough at hand there is no sleep and so nothing to arm.
        CHECK(pages.req_event() == (ready >= batch ? start : start + batch));
      }
}

TEST_CASE("a frontend wakes a backend that sleeps for a batch with the request that completes it") {
  for (const Index start : test::starts) {
    Pages pages;
    pages.idle_at(start);
    auto front = TxFrontRing::attach(pages.bytes(), start);
    auto back = attach(pages);
    REQUIRE_FALSE(back.final_check(3));
    for (int i = 1; i <= 5; ++i) {
      front.put({});
      CHECK(front.publish() == (i == 3));
    }
  }
}

TEST_CASE("a restarted backend goes on exactly where the other stopped") {
  for (const Index start : test::starts) {
    Pages pages;
    pages.idle_at(start);
    auto front = TxFrontRing::attach(pages.bytes(), start);
    auto killed = attach(pages);
    for (std::uint32_t i = 0; i < 10; ++i) front.put({i, 0, 0, 0, 0});
    front.publish();
    killed.consume(8);
    answer(killed, 5);
    killed.publish();
    answer(killed, 2);  // never published
    auto restarted = attach(pages);
    REQUIRE(restarted.unconsumed() == 5);
    restarted.consume(5);
    answer(restarted, 5);
    restarted.publish();
    CHECK(front.unconsumed() == 10);
  }
}

TEST_CASE("a promise is kept where it was made, once, and only for requests that are there") {
  for (const Index start : test::starts) {
    auto kept = std::make_unique<TxBackRing::Kept>();
    kept->responses[0] = {7, NETIF_RSP_OKAY};
    kept->responses[1] = {8, NETIF_RSP_ERROR};
    const auto published = [&](std::uint64_t count, Index from, Index posted) {
      Pages pages;
      pages.idle_at(start);
      pages.set_req_prod(start + posted);
      kept->promise = count << 32 | from;
      const auto ring = TxBackRing::attach(pages.bytes(), kept.get());
      REQUIRE(ring.has_value());
      const Index answered = pages.rsp_prod() - start;
      CHECK(ring->unconsumed() == posted - answered);
      return answered;
    };
    CHECK(published(2, start, 2) == 2);
    CHECK(published(2, start, 256) == 2);
    CHECK(published(256, start, 256) == 256);
    CHECK(published(0, start, 2) == 0);
    CHECK(published(2, start - 2, 256) == 0);  // kept before this one came
    CHECK(published(2, start + 1, 256) == 0);
    CHECK(published(2, start, 1) == 0);  // a guest that went back on its requests
    CHECK(published(257, start, 256) == 0);
    CHECK(published(0xffffffff, start, 256) == 0);
  }
}

TEST_CASE("what was promised is what the frontend is given") {
  Pages pages;
  auto front = TxFrontRing::initialise(pages.bytes());
  for (std::uint16_t i = 0; i < 3; ++i) front.put({i, 1, 2, i, 4});
  front.publish();
  auto kept = std::make_unique<TxBackRing::Kept>();
  kept->responses[0] = {0, NETIF_RSP_OKAY};
  kept->responses[1] = {1, NETIF_RSP_ERROR};
  kept->promise = std::uint64_t{2} << 32;
  auto back = TxBackRing::attach(pages.bytes(), kept.get());
  REQUIRE(back.has_value());
  REQUIRE(front.unconsumed() == 2);
  CHECK(front.response(0).id == 0);
  CHECK(front.response(1).id == 1);
  CHECK(front.response(1).status == NETIF_RSP_ERROR);
  CHECK(back->request().id == 2);
}
