#include "frontend/queue_thread.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>

namespace ringback::frontend {

using hypervisor::Descriptor;

Result<std::unique_ptr<QueueThread>> QueueThread::connect(QueueSetup setup, Counters& counters) {
  auto channels = hypervisor::open_event_channels();
  if (!channels) return tl::unexpected(channels.error());
  auto sharer = hypervisor::open_grant_sharer();
  if (!sharer) return tl::unexpected(sharer.error());
  Descriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return system_failure("cannot make an eventfd");
  std::unique_ptr<QueueThread> self(
      new QueueThread(std::move(*channels), std::move(*sharer), std::move(stop), setup.taps));
  auto queue = NetfrontQueue::connect(*self->channels_, *self->sharer_, std::move(setup), counters);
  if (!queue) return tl::unexpected(queue.error());
  self->queue_ = std::move(*queue);
  return self;
}

QueueThread::QueueThread(std::unique_ptr<hypervisor::EventChannels> channels,
                         std::unique_ptr<hypervisor::GrantSharer> sharer, Descriptor stop,
                         std::vector<int> taps)
    : channels_(std::move(channels)),
      sharer_(std::move(sharer)),
      stop_(std::move(stop)),
      taps_(std::move(taps)) {}

QueueThread::~QueueThread() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void QueueThread::start(std::function<void()> on_fault) {
  thread_ = std::thread([this, on_fault = std::move(on_fault)] {
    if (auto ran = run(); !ran) {
      error_ = ran.error();
      failed_.store(true, std::memory_order_release);
      on_fault();
    }
  });
}

std::optional<Error> QueueThread::fault() const {
  if (!failed_.load(std::memory_order_acquire)) return std::nullopt;
  return error_;
}

Result<void> QueueThread::run() {
  std::vector<pollfd> watched{{stop_.get(), POLLIN, 0}, {channels_->fd(), POLLIN, 0}};
  for (const int tap : taps_) watched.push_back({tap, POLLIN, 0});
  const std::span taps = std::span(watched).subspan(2);
  std::vector<hypervisor::Port> masked;

  queue_->wake_backend();
  for (bool busy = true;;) {
    for (auto& tap : taps) tap.events = queue_->wants_tap() ? POLLIN : 0;
    if (poll(watched.data(), watched.size(), busy ? 0 : -1) < 0 && errno != EINTR)
      return system_failure("poll");
    if (watched[0].revents != 0) return {};
    if (watched[1].revents != 0) {
      while (const auto port = channels_->pending()) masked.push_back(*port);
    }
    const bool readable =
        std::any_of(taps.begin(), taps.end(), [](const pollfd& tap) { return tap.revents != 0; });
    if (auto served = queue_->serve(readable); !served) return served;

    busy = queue_->arm();
    if (busy) continue;
    for (const auto port : masked) channels_->unmask(port);
    masked.clear();
  }
}

}  // namespace ringback::frontend
