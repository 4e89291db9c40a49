#include "frontend/pktgen/sequence.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace ringback::frontend {
namespace {

Arrivals see_all(const std::vector<std::uint32_t>& numbers) {
  Sequence sequence;
  Arrivals arrivals;
  for (const auto number : numbers) sequence.see(number, arrivals);
  return arrivals;
}

}  // namespace

TEST_CASE("Frames that come in order are just counted also where their numbers wrap") {
  const auto arrivals = see_all({0xfffffffe, 0xffffffff, 0, 1});
  CHECK(arrivals.frames == 4);
  CHECK(arrivals.missing == 0);
  CHECK(arrivals.reordered + arrivals.duplicates + arrivals.strays == 0);
}

TEST_CASE("A gap is missing until it is filled") {
  CHECK(see_all({0, 1, 5}).missing == 3);
  const auto filled = see_all({0, 1, 5, 3, 2, 4});
  CHECK(filled.frames == 6);
  CHECK(filled.missing == 0);
  CHECK(filled.reordered == 3);
}

TEST_CASE("A frame that comes twice is counted once and named") {
  const auto arrivals = see_all({7, 8, 8, 7, 10, 9, 9});
  CHECK(arrivals.frames == 4);
  CHECK(arrivals.duplicates == 3);
  CHECK(arrivals.reordered == 1);
}

TEST_CASE("What comes later than anybody remembers is a stray") {
  const auto arrivals = see_all({0, 1000, 500});
  CHECK(arrivals.strays == 1);
  CHECK(arrivals.missing == 999);
}

TEST_CASE("Any flow that is shuffled and thinned and doubled within the window adds up") {
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint32_t> numbers{0};
    std::uint64_t dropped = 0;
    for (std::uint32_t i = 1; i < 1000; ++i) {
      if (random() % 10 == 0) {
        ++dropped;
        continue;
      }
      numbers.push_back(i);
      if (random() % 10 == 0) numbers.push_back(i);
    }
    // Swaps of neighbours keep everything within reach; the first and the last stay.
    for (std::size_t i = 1; i + 2 < numbers.size(); ++i)
      if (random() % 3 == 0) std::swap(numbers[i], numbers[i + 1]);
    const std::uint64_t distinct = std::set(numbers.begin(), numbers.end()).size();
    const std::uint64_t behind_the_last = 999 - *std::max_element(numbers.begin(), numbers.end());

    const auto arrivals = see_all(numbers);
    CHECK(arrivals.frames == distinct);
    CHECK(arrivals.duplicates == numbers.size() - distinct);
    CHECK(arrivals.missing == dropped - behind_the_last);
    CHECK(arrivals.strays == 0);
  }
}

}  // namespace ringback::frontend
