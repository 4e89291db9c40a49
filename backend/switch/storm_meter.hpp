// How many frames a port may have flooded: so many a second, and a tenth of a second's worth at
// once (but at least a burst). Any worker, without a lock (the virtual scheduling algorithm of
// ITU-T I.371).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "backend/frame.hpp"

namespace ringback::backend {

class StormMeter {
 public:
  explicit StormMeter(std::uint32_t frames_a_second)
      : interval_(frames_a_second == 0 ? 0 : 1'000'000'000 / frames_a_second),
        at_once_(interval_ * std::max<std::uint64_t>(frames_a_second / 10, burst_size)) {}

  // So many frames at once, or none of them. now: nanoseconds of a clock that does not go back.
  bool allow(std::uint64_t now, std::uint32_t frames = 1) {
    if (interval_ == 0) return false;
    std::uint64_t due = due_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t next = std::max(due, now) + interval_ * frames;
      if (next - now > at_once_) return false;
      if (due_.compare_exchange_weak(due, next, std::memory_order_relaxed)) return true;
    }
  }

 private:
  const std::uint64_t interval_;
  const std::uint64_t at_once_;
  std::atomic<std::uint64_t> due_ = 0;  // when the next frame would be on time
};

}  // namespace ringback::backend
