// A vif of this domain that has no network stack behind it: only its rings, for Pktgen to use.
#pragma once

#include <memory>
#include <vector>

#include "frontend/device.hpp"
#include "frontend/negotiation.hpp"
#include "frontend/queue_rings.hpp"

namespace ringback::frontend {

class PktgenVif : private Device::Owner {
 public:
  // All outlive it.
  static Result<std::unique_ptr<PktgenVif>> open(hypervisor::EventLoop& loop,
                                                 hypervisor::EventChannels& channels,
                                                 hypervisor::GrantSharer& sharer,
                                                 NetfrontOptions options);

  Device& device() { return *device_; }
  std::uint32_t number() const { return options_.device; }
  // Whether both ends are connected.
  bool runs() const { return runs_; }
  // Only while it runs.
  const Negotiated& agreed() const { return agreed_; }
  const std::vector<std::unique_ptr<QueueRings>>& queues() const { return queues_; }

 private:
  PktgenVif(hypervisor::EventChannels& channels, hypervisor::GrantSharer& sharer,
            NetfrontOptions options)
      : channels_(channels), sharer_(sharer), options_(std::move(options)) {}

  Result<void> appeared() override { return {}; }
  Result<xenstore::FrontendKeys> connect(const xenstore::Keys& frontend,
                                         const xenstore::Keys& backend) override;
  Result<void> run() override;
  Result<void> disconnect() override;

  hypervisor::EventChannels& channels_;
  hypervisor::GrantSharer& sharer_;
  const NetfrontOptions options_;
  Negotiated agreed_;
  std::vector<std::unique_ptr<QueueRings>> queues_;
  bool runs_ = false;
  std::unique_ptr<Device> device_;
};

}  // namespace ringback::frontend
