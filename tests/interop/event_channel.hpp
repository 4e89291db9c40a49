// An event channel between two threads, as far as a ring sees it: a pending bit that wakes its
// owner.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace ringback::interop {

class EventChannel {
 public:
  void notify() {
    {
      const std::lock_guard lock(mutex_);
      pending_ = true;
    }
    changed_.notify_one();
  }

  // Waits until notified and clears the pending bit: looks so many times, then sleeps. False:
  // nothing came for so long that the wake-up was lost.
  bool wait(unsigned looks) {
    for (; looks > 0; --looks)
      if (pending_.exchange(false)) return true;
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [this] { return pending_.exchange(false); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> pending_ = false;
};

}  // namespace ringback::interop
