#include "frontend/receiver.hpp"

#include <doctest/doctest.h>

#include <random>

#include "frontend/test_backend.hpp"

namespace ringback::frontend {
namespace {

using test::Frame;

struct Pair {
  hypervisor::Simulated world;
  std::unique_ptr<hypervisor::GrantSharer> grants = world.grant_sharer(test::guest_domain);
  Counters counters;
  Receiver rx = std::move(Receiver::share(*grants, test::backend_domain).value());
  test::TestRxBackend backend{world, rx.ring_ref()};

  Result<std::vector<Frame>> receive() {
    std::vector<Frame> frames;
    if (auto looked = rx.look(); !looked) return tl::unexpected(looked.error());
    for (;;) {
      const auto frame = rx.next(counters.rx);
      if (!frame) return tl::unexpected(frame.error());
      if (*frame == nullptr) return frames;
      Frame& got = frames.emplace_back(Frame{.bytes = {}, .offload = (*frame)->offload});
      for (const auto& part : (*frame)->view()) {
        const auto* bytes = static_cast<const std::byte*>(part.iov_base);
        got.bytes.insert(got.bytes.end(), bytes, bytes + part.iov_len);
      }
      CHECK(got.bytes.size() == (*frame)->size);
    }
  }
};

Frame random_frame(std::mt19937& random) {
  Frame frame;
  frame.bytes.resize(random() % 8 == 0 ? 14 + random() % (ring::max_rx_size - 13)
                                       : 14 + random() % 2000);
  const auto start = random();
  for (std::size_t i = 0; i < frame.bytes.size(); i += 61)
    frame.bytes[i] = static_cast<std::byte>(start + i);
  if (random() % 3 == 0)
    frame.offload = {net::Checksum::partial, net::Gso::tcpv6,
                     static_cast<std::uint16_t>(1 + random() % 9000)};
  return frame;
}

}  // namespace

TEST_CASE("100000 random frames are received as they were given and every buffer is posted again") {
  std::mt19937 random(2);
  Pair pair;
  for (int frames = 0; frames < 100000;) {
    std::vector<Frame> given;
    for (auto n = random() % 70; n > 0; --n) {
      auto frame = random_frame(random);
      if (!pair.backend.give(frame)) break;
      given.push_back(std::move(frame));
    }
    const auto got = pair.receive();
    REQUIRE(got);
    REQUIRE(*got == given);
    frames += static_cast<int>(given.size());
    if (random() % 2 == 0) pair.rx.repost();
  }
  pair.rx.repost();
  CHECK(pair.backend.ring.unconsumed() == Receiver::slots);
}

TEST_CASE("A frame that is not whole yet waits without a loop") {
  Pair pair;
  pair.backend.respond(NETRXF_more_data, 4096);
  auto got = pair.receive();
  REQUIRE(got);
  CHECK(got->empty());
  CHECK_FALSE(pair.rx.arm());
  pair.backend.respond(0, 100);
  CHECK(pair.rx.arm());
  got = pair.receive();
  REQUIRE(got);
  REQUIRE(got->size() == 1);
  CHECK(got->front().bytes.size() == 4196);
}

TEST_CASE("A slot that the backend reports failed is dropped and counted") {
  Pair pair;
  pair.backend.respond(0, NETIF_RSP_ERROR);
  pair.backend.respond(0, 60);
  const auto got = pair.receive();
  REQUIRE(got);
  CHECK(got->size() == 1);
  CHECK(pair.counters.rx.drop_error == 1);
  CHECK(pair.rx.taken() == 2);
}

TEST_CASE("A backend that breaks the rules of rx is given up") {
  Pair pair;
  SUBCASE("the id of another slot") {
    pair.backend.respond(0, 60, 1);
  }
  SUBCASE("an extra that was not negotiated") {
    pair.backend.respond(NETRXF_extra_info, 60);
    pair.backend.respond(0, 0,
                         XEN_NETIF_EXTRA_TYPE_HASH - 1);  // an extra's type is where the id was
  }
  SUBCASE("a frame without an end") {
    for (int i = 0; i < 40; ++i) pair.backend.respond(NETRXF_more_data, 100);
  }
  SUBCASE("more responses than buffers") {
    pair.backend.lie(Receiver::slots + 1);
  }
  CHECK_FALSE(pair.receive());
}

}  // namespace ringback::frontend
