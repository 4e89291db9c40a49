// One thread's epoll loop: descriptors, signals and timers, each with a callback. Everything on it
// runs on the thread that calls run(); only stop() may be called from another thread or from a
// signal handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/result.hpp"

namespace ringback::hypervisor {

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using Callback = std::function<void(std::uint32_t events)>;  // EPOLLIN, EPOLLOUT, ...
  using TimerId = std::uint64_t;

  static Result<std::unique_ptr<EventLoop>> open();

  // Watches fd for `events`, level-triggered. One callback per fd; it may remove itself or others.
  Result<void> add(int fd, std::uint32_t events, Callback callback);
  Result<void> modify(int fd, std::uint32_t events);
  // To be called before fd is closed. A callback that is running is kept until it returns.
  void remove(int fd);

  TimerId after(Clock::duration delay, std::function<void()> callback);
  void cancel(TimerId timer);

  // SIGINT and SIGTERM end run(). They are blocked for the whole process, so call it before threads
  // are made.
  Result<void> stop_on_signals();

  // Waits for at most `timeout` (negative: for ever), then runs what is ready. An error only if
  // epoll itself fails.
  Result<void> step(std::chrono::milliseconds timeout = std::chrono::milliseconds(-1));
  // Steps until stop().
  Result<void> run();
  void stop();

 private:
  EventLoop(Descriptor epoll, Descriptor wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  int wait_milliseconds(std::chrono::milliseconds timeout) const;
  void run_timers();

  Descriptor epoll_;
  Descriptor wake_;
  Descriptor signals_;
  bool stopping_ = false;
  TimerId next_timer_ = 1;
  std::unordered_map<int, std::shared_ptr<Callback>> callbacks_;
  std::map<std::pair<Clock::time_point, TimerId>, std::function<void()>> timers_;
};

}  // namespace ringback::hypervisor
