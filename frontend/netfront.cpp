#include "frontend/netfront.hpp"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "frontend/statistics.hpp"

namespace ringback::frontend {

using hypervisor::Descriptor;

Result<std::unique_ptr<Netfront>> Netfront::open(hypervisor::EventLoop& loop,
                                                 NetfrontOptions options) {
  Descriptor fault(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fault) return system_failure("cannot make an eventfd");
  std::unique_ptr<Netfront> self(new Netfront(loop, std::move(options), std::move(fault)));
  auto device = Device::open(loop, self->options_.device, *self);
  if (!device) return tl::unexpected(device.error());
  self->device_ = std::move(*device);
  auto ready =
      loop.add(self->fault_.get(), EPOLLIN, [s = self.get()](std::uint32_t) { s->on_fault(); });
  if (!ready) return tl::unexpected(ready.error());
  return self;
}

Netfront::Netfront(hypervisor::EventLoop& loop, NetfrontOptions options, Descriptor fault)
    : loop_(loop),
      options_(std::move(options)),
      fault_(std::move(fault)),
      counters_(options_.queues) {}

Netfront::~Netfront() {
  loop_.remove(fault_.get());
}

std::string Netfront::statistics() const {
  return to_json(counters_);
}

// A queue gave up: the backend lied, or the tap is gone.
void Netfront::on_fault() {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(fault_.get(), &count, sizeof count);
  for (const auto& queue : queues_) {
    const auto fault = queue->fault();
    if (!fault) continue;
    spdlog::error("{}: disconnected: {}", device_->path(), fault->what);
    return device_->retry_later();
  }
}

Result<void> Netfront::appeared() {
  auto tap = hypervisor::Tap::open(options_.tap, options_.queues);
  if (!tap) return tl::unexpected(tap.error());
  if (auto all = tap->set_active_queues(options_.queues); !all) return all;
  if (auto off = tap->set_carrier(false); !off) return off;
  tap_ = std::move(*tap);
  spdlog::info("{}: has the tap {}", device_->path(), options_.tap);
  return {};
}

Result<xenstore::FrontendKeys> Netfront::connect(const xenstore::Keys& frontend,
                                                 const xenstore::Keys& backend) {
  const auto agreed = negotiate(options_, frontend, backend);
  if (!agreed) return tl::unexpected(agreed.error());

  auto set =
      tap_->set_mac(agreed->mac).and_then([&] { return tap_->set_mtu(agreed->mtu); }).and_then([&] {
        return tap_->set_offload(agreed->backend);
      });
  if (!set) return tl::unexpected(set.error());

  xenstore::FrontendKeys keys;
  keys.split_event_channels = agreed->split_event_channels;
  keys.rx_notify = true;
  keys.abilities = agreed->own;
  for (std::uint32_t i = 0; i < agreed->queues; ++i) {
    QueueSetup setup{.backend = agreed->backend_domain,
                     .abilities = agreed->backend,
                     .split_event_channels = agreed->split_event_channels,
                     .verify_checksums = options_.verify_checksums,
                     .taps = {}};
    // With fewer queues than the tap has, each serves several of its descriptors.
    for (std::size_t tap = i; tap < tap_->queue_count(); tap += agreed->queues)
      setup.taps.push_back(tap_->queue(tap));
    auto queue = QueueThread::connect(std::move(setup), counters_[i]);
    if (!queue) return tl::unexpected(queue.error());
    keys.queues.push_back((*queue)->keys());
    queues_.push_back(std::move(*queue));
  }
  return keys;
}

Result<void> Netfront::run() {
  for (const auto& queue : queues_) {
    queue->start([this] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(fault_.get(), &one, sizeof one);
    });
  }
  if (auto on = tap_->set_carrier(true); !on) return on;
  spdlog::info("{}: runs with {} queue{}", device_->path(), queues_.size(),
               queues_.size() == 1 ? "" : "s");
  return {};
}

Result<void> Netfront::disconnect() {
  if (queues_.empty()) return {};
  queues_.clear();
  return tap_->set_carrier(false);
}

}  // namespace ringback::frontend
