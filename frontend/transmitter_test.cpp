#include "frontend/transmitter.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <random>

#include "frontend/test_backend.hpp"

namespace ringback::frontend {
namespace {

using test::Frame;

struct Pair {
  hypervisor::Simulated world;
  std::unique_ptr<hypervisor::GrantSharer> grants = world.grant_sharer(test::guest_domain);
  Counters counters;
  Transmitter tx = std::move(Transmitter::share(*grants, test::backend_domain).value());
  test::TestTxBackend backend{world, tx.ring_ref()};

  void send(const Frame& frame) {
    REQUIRE(tx.room());
    std::size_t done = 0;
    for (const auto& page : tx.buffers()) {
      const std::size_t here = std::min(page.iov_len, frame.bytes.size() - done);
      std::memcpy(page.iov_base, frame.bytes.data() + done, here);
      done += here;
    }
    tx.put(frame.bytes.size(), frame.offload);
  }
  Result<void> reap() { return tx.reap(counters.tx); }
  // Frames that can be sent now, and are.
  std::size_t fill(std::size_t size) {
    std::size_t count = 0;
    for (; tx.room(); ++count) send({std::vector<std::byte>(size), {}});
    tx.publish();
    return count;
  }
};

Frame random_frame(std::mt19937& random) {
  Frame frame;
  // Mostly small ones, so that many are under way at once.
  const std::size_t size =
      random() % 8 == 0 ? 14 + random() % (ring::max_tx_size - 13) : 14 + random() % 2000;
  frame.bytes.resize(size);
  const auto start = random();
  for (std::size_t i = 0; i < size; i += 61) frame.bytes[i] = static_cast<std::byte>(start + i);
  if (random() % 3 == 0)
    frame.offload = {net::Checksum::partial, net::Gso::tcpv4,
                     static_cast<std::uint16_t>(1 + random() % 9000)};
  return frame;
}

}  // namespace

TEST_CASE("100000 random frames arrive as they were sent and every slot and page comes back") {
  std::mt19937 random(1);
  Pair pair;
  const std::size_t at_first = pair.fill(14);
  pair.backend.take();
  pair.backend.answer_all();
  REQUIRE(pair.reap());

  std::deque<Frame> sent;
  for (int frames = 0; frames < 100000;) {
    for (auto n = random() % 70; n > 0 && pair.tx.room(); --n, ++frames) {
      sent.push_back(random_frame(random));
      pair.send(sent.back());
    }
    pair.tx.publish();
    for (const auto& got : pair.backend.take()) {
      REQUIRE(got == sent.front());
      sent.pop_front();
    }
    pair.backend.answer(random() % 300);
    REQUIRE(pair.reap());
  }
  CHECK(sent.empty());
  pair.backend.answer_all();
  REQUIRE(pair.reap());
  CHECK(pair.fill(14) == at_first);
  CHECK(pair.counters.tx.refused == 0);
}

TEST_CASE("A full tx ring has no room until half of it is answered") {
  Pair pair;
  pair.fill(60);
  CHECK_FALSE(pair.tx.room());
  CHECK_FALSE(pair.tx.arm());
  pair.backend.take();
  const std::size_t half = pair.backend.unanswered() / 2;
  CHECK_FALSE(pair.backend.answer(half - 1));
  CHECK(pair.backend.answer(1));
  CHECK(pair.tx.arm());
  REQUIRE(pair.reap());
  CHECK(pair.tx.room());
}

TEST_CASE("Responses that nobody waits for cause no event") {
  Pair pair;
  pair.fill(60);
  CHECK_FALSE(pair.tx.arm());
  pair.backend.take();
  pair.backend.answer_all();
  REQUIRE(pair.reap());
  for (int i = 0; i < 3; ++i) {
    pair.send({std::vector<std::byte>(60), {}});
    pair.tx.publish();
    pair.backend.take();
    CHECK_FALSE(pair.backend.answer(1));
  }
}

TEST_CASE("Responses may come in any order") {
  Pair pair;
  pair.send({std::vector<std::byte>(60), {}});
  pair.send({std::vector<std::byte>(60), {}});
  pair.tx.publish();
  const auto first = pair.backend.ring.request(0).id;
  const auto second = pair.backend.ring.request(1).id;
  pair.backend.ring.consume(2);
  pair.backend.ring.respond({.id = second, .status = NETIF_RSP_OKAY});
  pair.backend.ring.respond({.id = first, .status = NETIF_RSP_OKAY});
  pair.backend.ring.publish();
  CHECK(pair.reap());
}

TEST_CASE("A refused slot is counted and its page comes back") {
  Pair pair;
  pair.send({std::vector<std::byte>(5000), {}});
  pair.tx.publish();
  pair.backend.take();
  pair.backend.answer(2, NETIF_RSP_ERROR);
  REQUIRE(pair.reap());
  CHECK(pair.counters.tx.refused == 2);
}

TEST_CASE("A backend that answers a foolish tx id is given up") {
  Pair pair;
  pair.send({std::vector<std::byte>(5000), {}});
  pair.tx.publish();
  const auto id = pair.backend.ring.request(0).id;
  pair.backend.take();
  SUBCASE("past the pool") {
    pair.backend.ring.respond({.id = 256, .status = NETIF_RSP_OKAY});
  }
  SUBCASE("not under way") {
    pair.backend.ring.respond({.id = 77, .status = NETIF_RSP_OKAY});
  }
  SUBCASE("the same twice") {
    pair.backend.ring.respond({.id = id, .status = NETIF_RSP_OKAY});
    pair.backend.ring.respond({.id = id, .status = NETIF_RSP_OKAY});
  }
  SUBCASE("an extra that was not sent") {
    pair.backend.ring.respond({.id = id, .status = NETIF_RSP_NULL});
  }
  pair.backend.ring.publish();
  CHECK_FALSE(pair.reap());
}

TEST_CASE("A backend that answers more tx slots than it was given is given up") {
  Pair pair;
  pair.send({std::vector<std::byte>(60), {}});
  pair.tx.publish();
  pair.backend.lie(2);
  CHECK_FALSE(pair.reap());
}

}  // namespace ringback::frontend
