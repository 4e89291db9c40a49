#include "hypervisor/event_loop.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>

namespace ringback::hypervisor {

Result<std::unique_ptr<EventLoop>> EventLoop::open() {
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) return system_failure("cannot make an event loop");
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wake)));
  EventLoop* self = loop.get();
  if (auto added =
          self->add(self->wake_.get(), EPOLLIN, [self](std::uint32_t) { self->stopping_ = true; });
      !added)
    return tl::unexpected(added.error());
  return loop;
}

Result<void> EventLoop::add(int fd, std::uint32_t events, Callback callback) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return system_failure("cannot watch a descriptor");
  callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
  return {};
}

Result<void> EventLoop::modify(int fd, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
    return system_failure("cannot watch a descriptor for other events");
  return {};
}

void EventLoop::remove(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  callbacks_.erase(fd);
}

EventLoop::TimerId EventLoop::after(Clock::duration delay, std::function<void()> callback) {
  const TimerId id = next_timer_++;
  timers_.emplace(std::pair(Clock::now() + delay, id), std::move(callback));
  return id;
}

void EventLoop::cancel(TimerId timer) {
  std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
}

Result<void> EventLoop::stop_on_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (const int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0)
    return system_failure("cannot block signals", code);
  signals_ = Descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_failure("cannot receive signals");
  return add(signals_.get(), EPOLLIN, [this](std::uint32_t) {
    signalfd_siginfo signal;
    while (::read(signals_.get(), &signal, sizeof signal) > 0) stopping_ = true;
  });
}

int EventLoop::wait_milliseconds(std::chrono::milliseconds timeout) const {
  auto wait = timeout;
  if (!timers_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now());
    const auto until_timer = std::max(left, std::chrono::milliseconds(0));
    wait = wait.count() < 0 ? until_timer : std::min(wait, until_timer);
  }
  return static_cast<int>(std::clamp<std::int64_t>(wait.count(), -1, 3'600'000));
}

void EventLoop::run_timers() {
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const auto callback = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    callback();
  }
}

Result<void> EventLoop::step(std::chrono::milliseconds timeout) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                               wait_milliseconds(timeout));
  if (count < 0 && errno != EINTR) return system_failure("epoll_wait");
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const auto found = callbacks_.find(event.data.fd);
    if (found == callbacks_.end()) continue;  // removed by a callback before it
    const auto callback = found->second;      // keeps it alive if it removes itself
    (*callback)(event.events);
  }
  run_timers();
  return {};
}

Result<void> EventLoop::run() {
  while (!stopping_) {
    if (auto stepped = step(); !stepped) return stepped;
  }
  return {};
}

void EventLoop::stop() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace ringback::hypervisor
