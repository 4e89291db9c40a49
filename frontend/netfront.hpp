// The guest's network device: gives the vif a tap, negotiates, and connects the two by queues on
// threads of their own.
//
//   Device -> negotiate (pure) -> queues -> carrier
//
// Lives on the control thread's event loop, which alone touches the tap's settings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/counters.hpp"
#include "frontend/device.hpp"
#include "frontend/negotiation.hpp"
#include "frontend/queue_thread.hpp"
#include "hypervisor/tap.hpp"

namespace ringback::frontend {

class Netfront : private Device::Owner {
 public:
  // loop outlives it.
  static Result<std::unique_ptr<Netfront>> open(hypervisor::EventLoop& loop,
                                                NetfrontOptions options);
  Netfront(const Netfront&) = delete;
  Netfront& operator=(const Netfront&) = delete;
  ~Netfront() override;

  // Whether the vif has been there: from then on there is a tap.
  bool has_appeared() const { return device_->has_appeared(); }
  // Why it can't go on. The loop was stopped then.
  const std::optional<Error>& broken() const { return device_->broken(); }

  // Tells the backend, and stops the loop when both ends have said Closed (or are not connected).
  // It does not connect again.
  void close() { device_->close(); }

  std::string statistics() const;

 private:
  Netfront(hypervisor::EventLoop& loop, NetfrontOptions options, hypervisor::Descriptor fault);

  void on_fault();
  Result<void> appeared() override;
  Result<xenstore::FrontendKeys> connect(const xenstore::Keys& frontend,
                                         const xenstore::Keys& backend) override;
  Result<void> run() override;
  Result<void> disconnect() override;

  hypervisor::EventLoop& loop_;
  const NetfrontOptions options_;
  hypervisor::Descriptor fault_;    // an eventfd: a queue failed
  std::vector<Counters> counters_;  // per queue; they outlive connections
  std::optional<hypervisor::Tap> tap_;
  std::vector<std::unique_ptr<QueueThread>> queues_;
  std::unique_ptr<Device> device_;
};

}  // namespace ringback::frontend
