// Our rings against Xen's own macros: two threads, random bursts, and sleep whenever there is
// nothing to do, so that one lost wake-up stops everything. The indices wrap at 2^32 underway.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <random>
#include <string>

#include "event_channel.hpp"
#include "xen_rings.hpp"

using namespace ringback;
using namespace ringback::interop;
using ring::Index;

namespace {

// What went wrong, if anything, and how often the thread had to wait for an event.
struct Outcome {
  std::string fault;
  std::uint64_t waits = 0;
};

struct Channels {
  EventChannel front;
  EventChannel back;
};

// Contents that tell every message from its neighbours and from those a ring's length away.
ring::TxRequest request(std::uint32_t number) {
  const auto low = static_cast<std::uint16_t>(number);
  const auto high = static_cast<std::uint16_t>(number >> 16);
  return {number * 2654435761u, high, low, static_cast<std::uint16_t>(low ^ high), low};
}
ring::TxResponse response(std::uint32_t number) {
  return {static_cast<std::uint16_t>(number), static_cast<std::int16_t>(number * 40503u >> 8)};
}
bool same(const ring::TxRequest& a, const ring::TxRequest& b) {
  return a.gref == b.gref && a.offset == b.offset && a.flags == b.flags && a.id == b.id &&
         a.size == b.size;
}
bool same(const ring::TxResponse& a, const ring::TxResponse& b) {
  return a.id == b.id && a.status == b.status;
}

class Chance {
 public:
  explicit Chance(std::uint32_t seed) : random_(seed) {}
  // 1 to limit, one and all among the likely.
  Index burst(Index limit) {
    switch (random_() % 4) {
      case 0:
        return 1;
      case 1:
        return limit;
      default:
        return static_cast<Index>(1 + random_() % limit);
    }
  }

  // How often to look for an event before sleeping. A thread that sleeps wakes late, when its peer
  // has long gone to sleep; one that looks meets the peer in the midst of its final check.
  unsigned looks() { return random_() % 2 ? 2000 : 0; }
  // So that they meet at any place of it.
  void hesitate() {
    for (auto turns = random_() % 128; turns > 0; --turns)
      std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  std::minstd_rand random_;
};

template <class Front>
Outcome run_front(Front ring, std::uint32_t count, Channels& channels) {
  Outcome outcome;
  Chance chance(1);
  std::uint32_t sent = 0, received = 0;
  while (received < count) {
    bool worked = false;
    if (const Index room = std::min(ring.free(), count - sent); room > 0) {
      for (Index burst = chance.burst(room); burst > 0; --burst) ring.put(request(sent++));
      if (ring.publish()) channels.back.notify();
      worked = true;
    }
    const auto ready = ring.unconsumed();
    if (!ready) return {"the frontend sees a lie", outcome.waits};
    if (*ready > 0) {
      const Index burst = chance.burst(*ready);
      for (Index i = 0; i < burst; ++i)
        if (!same(ring.response(i), response(received++)))
          return {"wrong response " + std::to_string(received - 1), outcome.waits};
      ring.consume(burst);
      worked = true;
    }
    if (worked) continue;
    chance.hesitate();
    if (ring.final_check()) continue;
    ++outcome.waits;
    if (!channels.front.wait(chance.looks()))
      return {"the frontend was never woken", outcome.waits};
  }
  return outcome;
}

template <class Back>
Outcome run_back(Back ring, std::uint32_t count, Channels& channels) {
  Outcome outcome;
  Chance chance(2);
  for (std::uint32_t served = 0; served < count;) {
    const auto ready = ring.unconsumed();
    if (!ready) return {"the backend sees a lie", outcome.waits};
    if (*ready > 0) {
      const Index burst = chance.burst(*ready);
      for (Index i = 0; i < burst; ++i)
        if (!same(ring.request(i), request(served + i)))
          return {"wrong request " + std::to_string(served + i), outcome.waits};
      ring.consume(burst);
      for (Index left = burst; left > 0;) {
        const Index batch = chance.burst(left);
        for (Index i = 0; i < batch; ++i) ring.respond(response(served++));
        if (ring.publish()) channels.front.notify();
        left -= batch;
      }
      continue;
    }
    chance.hesitate();
    if (ring.final_check()) continue;
    ++outcome.waits;
    if (!channels.back.wait(chance.looks())) return {"the backend was never woken", outcome.waits};
  }
  return outcome;
}

template <class Front, class Back>
void converse(std::size_t ring_bytes, std::uint32_t count) {
  alignas(ring::page_size) static std::array<std::byte, 4 * ring::page_size> memory;
  const auto pages = std::span<std::byte>(memory).first(ring_bytes);
  const Index start = 0u - count / 2;
  initialise(pages, start);
  Channels channels;
  auto back = Back::attach(pages);
  REQUIRE(back.has_value());
  auto served =
      std::async(std::launch::async, [&] { return run_back<Back>(*back, count, channels); });
  const Outcome front = run_front<Front>(Front::attach(pages, start), count, channels);
  const Outcome backend = served.get();
  CHECK(front.fault == "");
  CHECK(backend.fault == "");
  CHECK(front.waits + backend.waits > 100);
  MESSAGE(count << " requests; the frontend waited " << front.waits << " times and the backend "
                << backend.waits);
}

// A ring of few slots sleeps most; a long one has long chance.
constexpr std::size_t four_slots = 64 + 4 * sizeof(ring::TxRequest);
constexpr std::size_t one_page = ring::page_size;
constexpr std::size_t four_pages = 4 * ring::page_size;

}  // namespace

TEST_CASE("our backend serves a frontend made of Xen's macros") {
  converse<XenFront, ring::TxBackRing>(four_slots, 300'000);
  converse<XenFront, ring::TxBackRing>(one_page, 2'000'000);
  converse<XenFront, ring::TxBackRing>(four_pages, 2'000'000);
}

TEST_CASE("our frontend is served by a backend made of Xen's macros") {
  converse<ring::TxFrontRing, XenBack>(four_slots, 300'000);
  converse<ring::TxFrontRing, XenBack>(one_page, 2'000'000);
  converse<ring::TxFrontRing, XenBack>(four_pages, 2'000'000);
}

TEST_CASE("our frontend and our backend understand each other") {
  converse<ring::TxFrontRing, ring::TxBackRing>(four_slots, 300'000);
  converse<ring::TxFrontRing, ring::TxBackRing>(one_page, 2'000'000);
}
