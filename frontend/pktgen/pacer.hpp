// When the next frames are due. Pure: the time, in nanoseconds, comes from the caller.
#pragma once

#include <cstdint>

namespace ringback::frontend {

class Pacer {
 public:
  // rate: frames a second; 0: any number is due at any time.
  Pacer(double rate, std::uint64_t start) : interval_(rate > 0 ? 1e9 / rate : 0), start_(start) {}

  bool is_due(std::uint64_t count, std::uint64_t now) const { return due(count) <= now; }

  // When the last of the next `count` frames is due: no earlier can they be sent together.
  std::uint64_t due(std::uint64_t count) const {
    return start_ + static_cast<std::uint64_t>(static_cast<double>(sent_ + count - 1) * interval_);
  }

  void sent(std::uint64_t count) { sent_ += count; }

 private:
  double interval_;
  std::uint64_t start_;
  std::uint64_t sent_ = 0;
};

}  // namespace ringback::frontend
