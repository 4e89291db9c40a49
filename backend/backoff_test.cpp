#include "backend/backoff.hpp"

#include <doctest/doctest.h>

using namespace ringback::backend;
using namespace std::chrono_literals;

namespace {
const Backoff::Clock::time_point start = Backoff::Clock::time_point{} + 1h;
}

TEST_CASE("a guest that is refused a few times is looked at at once") {
  Backoff backoff;
  CHECK(backoff.left(start) == 0s);
  for (unsigned i = 0; i < Backoff::free_refusals; ++i) backoff.refused(start);
  CHECK(backoff.left(start) == 0s);
}

TEST_CASE("one that goes on waits twice as long each time, to a bound") {
  Backoff backoff;
  for (unsigned i = 0; i < Backoff::free_refusals; ++i) backoff.refused(start);
  Backoff::Clock::duration expected = Backoff::first;
  for (int i = 0; i < 100; ++i) {
    backoff.refused(start);
    CHECK(backoff.left(start) == expected);
    CHECK(backoff.left(start + expected) == 0s);
    CHECK(backoff.left(start + expected / 2) == expected - expected / 2);
    expected = std::min(2 * expected, Backoff::longest);
  }
}

TEST_CASE("after a calm time all is forgotten") {
  Backoff backoff;
  for (int i = 0; i < 10; ++i) backoff.refused(start);
  backoff.refused(start + Backoff::calm);
  CHECK(backoff.left(start + Backoff::calm) == 0s);
}
