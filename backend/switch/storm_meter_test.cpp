#include "backend/switch/storm_meter.hpp"

#include <doctest/doctest.h>

using ringback::backend::StormMeter;

namespace {
constexpr std::uint64_t second = 1'000'000'000;

std::size_t allowed(StormMeter& meter, std::uint64_t now, std::size_t asked) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < asked; ++i) count += meter.allow(now);
  return count;
}
}  // namespace

TEST_CASE("a storm passes at its rate and a tenth of a second's worth at once") {
  StormMeter meter(1000);
  CHECK(allowed(meter, second, 5000) == 100);
  CHECK(allowed(meter, second + second / 100, 5000) == 10);
  CHECK(allowed(meter, 100 * second, 5000) == 100);  // nothing is saved up for longer
}

TEST_CASE("a low rate lets a burst pass at once and a rate of nothing lets nothing pass") {
  StormMeter slow(1);
  CHECK(allowed(slow, second, 1000) == 64);
  CHECK(allowed(slow, 2 * second, 1000) == 1);
  StormMeter none(0);
  CHECK(allowed(none, second, 10) == 0);
}

TEST_CASE("a super-frame counts as what may become of it") {
  StormMeter meter(1000);
  CHECK(meter.allow(second, 60));
  CHECK_FALSE(meter.allow(second, 41));
  CHECK(meter.allow(second, 40));
  CHECK_FALSE(meter.allow(second));
}

TEST_CASE("another worker's clock that is behind gives no frame too many") {
  StormMeter meter(1000);
  CHECK(allowed(meter, second, 5000) == 100);
  CHECK(allowed(meter, second / 2, 5000) == 0);
}
