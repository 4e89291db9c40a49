// How often which latency was seen, in memory of fixed size: buckets that grow with the value, each
// no wider than 1/32 of it (what HdrHistogram does). Pure.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ringback::frontend {

class Histogram {
 public:
  void record(std::uint64_t value) {
    ++counts_[index_of(value)];
    ++count_;
    highest_ = std::max(highest_, value);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t highest() const { return highest_; }

  // A value that so many percent of those recorded do not exceed, at most 1/32 too high; 0 if there
  // are none.
  std::uint64_t percentile(double percent) const {
    const auto wanted = static_cast<std::uint64_t>(
        std::ceil(std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= wanted) return std::min(last_of(i), highest_);
    }
    return highest_;
  }

 private:
  // Values below 2^6 have a bucket each; above, the highest six bits choose it.
  static constexpr unsigned bits = 5;
  static constexpr std::size_t buckets = (64 - bits) << bits;

  static constexpr std::size_t index_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > bits + 1 ? width - bits - 1 : 0;
    return (std::size_t{shift} << bits) + static_cast<std::size_t>(value >> shift);
  }
  static constexpr std::uint64_t last_of(std::size_t index) {
    const std::size_t shift = index >> bits > 1 ? (index >> bits) - 1 : 0;
    return ((std::uint64_t{index - (shift << bits)} + 1) << shift) - 1;
  }

  std::array<std::uint64_t, buckets + (1 << bits)> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace ringback::frontend
