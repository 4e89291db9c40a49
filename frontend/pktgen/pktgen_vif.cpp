#include "frontend/pktgen/pktgen_vif.hpp"

namespace ringback::frontend {

Result<std::unique_ptr<PktgenVif>> PktgenVif::open(hypervisor::EventLoop& loop,
                                                   hypervisor::EventChannels& channels,
                                                   hypervisor::GrantSharer& sharer,
                                                   NetfrontOptions options) {
  std::unique_ptr<PktgenVif> self(new PktgenVif(channels, sharer, std::move(options)));
  auto device = Device::open(loop, self->options_.device, *self);
  if (!device) return tl::unexpected(device.error());
  self->device_ = std::move(*device);
  return self;
}

Result<xenstore::FrontendKeys> PktgenVif::connect(const xenstore::Keys& frontend,
                                                  const xenstore::Keys& backend) {
  auto agreed = negotiate(options_, frontend, backend);
  if (!agreed) return tl::unexpected(agreed.error());
  agreed_ = *agreed;
  xenstore::FrontendKeys keys;
  keys.split_event_channels = agreed_.split_event_channels;
  keys.rx_notify = true;
  keys.abilities = agreed_.own;
  for (std::uint32_t i = 0; i < agreed_.queues; ++i) {
    auto queue = QueueRings::connect(channels_, sharer_, agreed_.backend_domain,
                                     agreed_.split_event_channels);
    if (!queue) return tl::unexpected(queue.error());
    keys.queues.push_back((*queue)->keys());
    queues_.push_back(std::move(*queue));
  }
  return keys;
}

Result<void> PktgenVif::run() {
  for (const auto& queue : queues_) queue->wake_backend();
  runs_ = true;
  return {};
}

Result<void> PktgenVif::disconnect() {
  runs_ = false;
  queues_.clear();
  return {};
}

}  // namespace ringback::frontend
