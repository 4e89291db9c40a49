// A vif's port into the host's network stack: the tap `vif<domid>.<devid>`, one tap queue for each
// of the vif's.
#pragma once

#include "backend/port/port.hpp"
#include "hypervisor/tap.hpp"

namespace ringback::backend {

class TapPort final : public Port {
 public:
  explicit TapPort(hypervisor::Tap tap) : tap_(std::move(tap)) {}

  void send(std::span<Frame> burst, std::size_t queue, Copier& copier, Counters& counters) override;
  int fd(std::size_t queue) const override { return tap_.queue(queue); }
  bool receive(std::size_t queue, RxSink& guest, Copier& copier) override;

  // For the control thread.
  hypervisor::Tap& tap() { return tap_; }

 private:
  hypervisor::Tap tap_;
};

}  // namespace ringback::backend
