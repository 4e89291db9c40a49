// How long a guest that was refused, or ended a connection at once, waits before its vif is looked
// at again: nothing for the first few times (a driver that starts over is welcome), then twice as
// long each time. So a guest that does nothing but that costs the control thread and the log
// little. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace ringback::backend {

class Backoff {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr unsigned free_refusals = 3;
  static constexpr Clock::duration first = std::chrono::milliseconds(100);
  static constexpr Clock::duration longest = std::chrono::seconds(10);
  // So long without a refusal, and all is forgotten.
  static constexpr Clock::duration calm = std::chrono::seconds(60);

  void refused(Clock::time_point now) {
    if (now - last_ >= calm) count_ = 0;
    ++count_;
    last_ = now;
  }

  // Zero: it is looked at at once.
  Clock::duration left(Clock::time_point now) const {
    if (count_ <= free_refusals) return {};
    const unsigned doublings = std::min(count_ - free_refusals - 1, 10U);
    const Clock::time_point until =
        last_ + std::min<Clock::duration>(first * (1U << doublings), longest);
    return std::max(until - now, Clock::duration{});
  }

 private:
  unsigned count_ = 0;
  Clock::time_point last_{};
};

}  // namespace ringback::backend
