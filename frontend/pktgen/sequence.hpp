// The numbers that the frames of one flow arrive with: what is missing, what came twice, what was
// overtaken. Numbers run freely and wrap at 2^32. Pure.
#pragma once

#include <cstdint>

namespace ringback::frontend {

// Of all flows together.
struct Arrivals {
  std::uint64_t frames = 0;      // each number once
  std::uint64_t missing = 0;     // skipped, and not come since
  std::uint64_t duplicates = 0;  // a number that had come
  std::uint64_t reordered = 0;   // overtaken by a later one
  std::uint64_t strays = 0;      // so late that nobody knows any more whether it had come
};

class Sequence {
 public:
  // How far back it is known what has come.
  static constexpr std::uint32_t window = 64;

  // The first number seen is where the flow begins.
  void see(std::uint32_t number, Arrivals& arrivals) {
    if (!begun_) {
      begun_ = true;
      next_ = number;
      came_ = ~std::uint64_t{0};  // nothing before it is missing
    }
    const std::uint32_t ahead = number - next_;
    if (ahead == 0) {  // nearly always
      came_ = came_ << 1 | 1;
      ++next_;
      ++arrivals.frames;
    } else if (ahead < 1U << 31) {
      skip(ahead, arrivals);
    } else {
      late(next_ - 1 - number, arrivals);
    }
  }

 private:
  void skip(std::uint32_t count, Arrivals& arrivals) {
    came_ = count + 1 >= window ? 1 : came_ << (count + 1) | 1;
    next_ += count + 1;
    arrivals.missing += count;
    ++arrivals.frames;
  }
  void late(std::uint32_t by, Arrivals& arrivals) {
    if (by >= window) {
      ++arrivals.strays;
    } else if (const std::uint64_t bit = std::uint64_t{1} << by; (came_ & bit) != 0) {
      ++arrivals.duplicates;
    } else {
      came_ |= bit;
      ++arrivals.reordered;
      ++arrivals.frames;
      --arrivals.missing;
    }
  }

  std::uint64_t came_ = 0;  // bit i: whether next_ - 1 - i has
  std::uint32_t next_ = 0;
  bool begun_ = false;
};

}  // namespace ringback::frontend
