#include "frontend/pktgen/pacer.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

namespace ringback::frontend {

TEST_CASE("A pacer lets as many frames go in a second as its rate says however they are bunched") {
  for (const std::uint64_t burst : {1, 7, 32}) {
    Pacer pacer(10000, 5'000);
    std::uint64_t sent = 0;
    for (std::uint64_t now = 5'000; now < 1'000'005'000; now += 333) {
      for (; pacer.is_due(burst, now); sent += burst) pacer.sent(burst);
    }
    CHECK(sent <= 10000);
    CHECK(sent > 10000 - 2 * burst);
  }
}

TEST_CASE("Who was held up catches up and is not a frame behind") {
  Pacer pacer(1000, 0);
  CHECK(pacer.is_due(1, 0));
  CHECK_FALSE(pacer.is_due(11, 9'000'000));
  CHECK(pacer.is_due(11, 10'000'000));
  CHECK(pacer.due(11) == 10'000'000);
}

TEST_CASE("Without a rate any number is due at once") {
  const Pacer pacer(0, 42);
  CHECK(pacer.is_due(1'000'000, 42));
}

}  // namespace ringback::frontend
