#include "frontend/pktgen/histogram.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

namespace ringback::frontend {

TEST_CASE("A percentile is at most a 32nd above the value that a sorted list has there") {
  std::mt19937_64 random(5);
  const auto histogram = std::make_unique<Histogram>();
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(random() >> (random() % 64));
    histogram->record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.01, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto place =
        static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())) - 1);
    const auto value = values[place];
    const auto said = histogram->percentile(percent);
    CHECK(said >= value);
    CHECK(said - value <= value / 32);
  }
  CHECK(histogram->percentile(100) == values.back());
  CHECK(histogram->highest() == values.back());
}

TEST_CASE("A histogram without values has percentiles of 0") {
  const auto histogram = std::make_unique<Histogram>();
  CHECK(histogram->percentile(50) == 0);
  histogram->record(0);
  CHECK(histogram->percentile(50) == 0);
  CHECK(histogram->count() == 1);
}

TEST_CASE("The greatest value there is has a place in a histogram") {
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(~std::uint64_t{0});
  CHECK(histogram->percentile(50) == ~std::uint64_t{0});
}

}  // namespace ringback::frontend
