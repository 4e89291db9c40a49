// How long a worker that finds no work looks on before it sleeps: it costs nothing to see work that
// comes at once, and some us, or hundreds under emulation, to be woken for it. So the window grows
// while sleeps turn out to have been short, and shrinks to nothing while they are long: an idle
// worker does not poll, and one whose guests speak now and then does not either (KVM's halt polling
// does the same for vCPUs: Documentation/virt/kvm/halt-polling.rst). Pure: times are the caller's.
#pragma once

#include <algorithm>
#include <chrono>

namespace ringback::backend {

class PollWindow {
 public:
  using Clock = std::chrono::steady_clock;

  // longest: what it costs to sleep and be woken, roughly; a sleep no longer than this should have
  // been polling.
  // 0: it never polls, as where the one who is waited for needs the same processor.
  explicit PollWindow(Clock::duration longest) : longest_(longest) {}
  // Then nobody need ask for the time, which in a PV domain is a system call.
  bool never() const { return longest_ == Clock::duration{}; }

  // There was work.
  void worked() { idle_ = false; }
  // There was none at `now`: whether to look on.
  bool looks_on(Clock::time_point now) {
    if (!idle_) since_ = now;
    idle_ = true;
    return now - since_ < length_;
  }
  // It slept, after having looked on in vain, and was woken at `now`.
  void woken(Clock::time_point now) {
    if (!idle_) return;
    idle_ = false;
    if (now - since_ <= longest_)
      length_ = std::min(longest_, std::max(2 * length_, shortest));
    else
      length_ = length_ / 2 < shortest ? Clock::duration(0) : length_ / 2;
  }

 private:
  static constexpr Clock::duration shortest = std::chrono::microseconds(10);

  Clock::duration longest_;
  Clock::duration length_{};
  Clock::time_point since_;
  bool idle_ = false;  // since since_
};

}  // namespace ringback::backend
