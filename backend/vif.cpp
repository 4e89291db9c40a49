#include "backend/vif.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "backend/port/tap_port.hpp"
#include "backend/vif_path.hpp"

namespace ringback::backend {

namespace {
// What every backend's device has, so that bridges don't take it for a guest's (vif-bridge sets the
// same).
constexpr std::array<std::uint8_t, 6> backend_mac = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr net::Abilities all_abilities = {true, true, true, true, true};
}  // namespace

Result<void> Vif::make_tap(hypervisor::KeptTaps& taps) {
  // The hotplug script knows it by this name, and renames it where `vifname` asks for that.
  auto tap = taps.open(
      kept_as(config_.id), xenstore::device_name(config_.id), config_.max_queues,
      [this](hypervisor::Tap& fresh) -> Result<void> {
        // Until the guest has said what it takes the rest is done in software.
        for (const auto& done : {fresh.set_carrier(false), fresh.set_mac(backend_mac),
                                 fresh.set_mtu(config_.mtu), fresh.set_offload(all_abilities)})
          if (!done) return done;
        told_ = all_abilities;
        new_tap_ = true;
        return {};
      });
  if (!tap) return tl::unexpected(tap.error());
  auto port = std::make_unique<TapPort>(std::move(*tap));
  tap_ = port.get();
  port_ = std::move(port);
  return {};
}

bool Vif::lost_tap() const {
  return tap_ != nullptr && !tap_->tap().exists();
}

void Vif::give_up_tap() {
  // A device that somebody else deleted has gone already.
  if (tap_ != nullptr) [[maybe_unused]]
    const auto gone = tap_->tap().set_persistent(false);
}

void Vif::join(std::shared_ptr<SoftwareSwitch> to) {
  auto port = std::make_unique<SwitchPort>(std::move(to), xenstore::device_name(config_.id));
  switch_ = port.get();
  port_ = std::move(port);
  apply_policy();
}

void Vif::set_policy(const xenstore::PortPolicy& policy) {
  if (switch_ == nullptr || policy == config_.policy) return;
  config_.policy = policy;
  apply_policy();
}

void Vif::apply_policy() {
  if (!switch_->set_policy(config_.policy))
    spdlog::warn("{}: not all of ringback/macs could be kept: the switch has too many",
                 xenstore::device_name(config_.id));
}

Result<void> Vif::connect(const xenstore::FrontendKeys& frontend,
                          const hypervisor::KeptMemory& kept, bool resumes) {
  if (tap_ != nullptr) {
    if (auto queues = tap_->tap().set_active_queues(frontend.queues.size()); !queues) return queues;
    // A tap is not told twice: that would undo what `ethtool -K` has changed since.
    const bool knows = told_ ? *told_ == frontend.abilities : resumes;
    if (!knows)
      if (auto set = tap_->tap().set_offload(frontend.abilities); !set) return set;
    told_ = frontend.abilities;
  }
  const std::string name = xenstore::device_name(config_.id);
  Queue::Kept* memory = nullptr;
  if (auto opened = kept.open(name, frontend.queues.size() * sizeof(Queue::Kept))) {
    kept_ = std::move(*opened);
    memory = reinterpret_cast<Queue::Kept*>(kept_->span().data());
  } else if (const int code = opened.error().code;
             code == EMFILE || code == ENFILE || code == ENOMEM) {
    return tl::unexpected(opened.error());  // which may pass
  } else {
    spdlog::warn(
        "{}: {} (so frames that are under way when this daemon is killed may be answered wrongly)",
        name, opened.error().what);
  }
  std::vector<Sink*> sinks;
  for (std::size_t i = 0; i < frontend.queues.size(); ++i) {
    Worker& worker = least_busy();
    auto queue = worker.connect({.guest = config_.id.domain,
                                 .index = i,
                                 .keys = frontend.queues[i],
                                 .abilities = frontend.abilities,
                                 .kept = memory == nullptr ? nullptr : memory + i},
                                *port_);
    if (!queue) {
      disconnect();
      return tl::unexpected(queue.error());
    }
    queues_.push_back({&worker, *queue});
    sinks.push_back(&(*queue)->sink());
  }
  // Each of its queues may be another processor's.
  if (switch_ != nullptr) switch_->connect(std::move(sinks), true);
  return {};
}

void Vif::disconnect() {
  if (switch_ != nullptr && !queues_.empty()) switch_->connect({});
  for (const Placed& placed : queues_) {
    placed.worker->disconnect(placed.queue, [this](Queue& queue) {
      queue.sink().give_up();
      former_.tx.add(queue.tx_counters());
      former_.rx.add(queue.sink().counters());
    });
  }
  queues_.clear();
  kept_.reset();
}

void Vif::set_carrier(bool on) {
  // A device that somebody deleted has no carrier to set; the guest is told by its frames' fate.
  if (tap_ != nullptr) [[maybe_unused]]
    const auto set = tap_->tap().set_carrier(on);
}

bool Vif::owns(const Task* task) const {
  return std::ranges::any_of(queues_,
                             [task](const Placed& placed) { return placed.queue == task; });
}

Worker& Vif::least_busy() const {
  return **std::ranges::min_element(workers_, {},
                                    [](const auto& worker) { return worker->task_count(); });
}

Statistics Vif::statistics() const {
  Statistics sum = former_;
  for (const Placed& placed : queues_) {
    sum.tx.add(placed.queue->tx_counters());
    sum.rx.add(placed.queue->sink().counters());
  }
  return sum;
}

}  // namespace ringback::backend
