// A vif's port into the host's network stack: the tap `vif<domid>.<devid>`, one tap queue for each
// of the vif's.
#pragma once

#include "backend/port/port.hpp"
#include "backend/port/tap_frames.hpp"
#include "hypervisor/tap.hpp"

namespace ringback::backend {

class TapPort final : public Port {
 public:
  explicit TapPort(hypervisor::Tap tap);

  void send(std::span<Frame> burst, std::size_t queue, Copier& copier, Counters& counters) override;
  bool wants_whole_frames() const override { return true; }
  int fd(std::size_t queue) const override { return tap_.queue(queue); }
  Read receive(std::size_t queue, RxSink& guest, Copier& copier) override;

  // For the control thread.
  hypervisor::Tap& tap() { return tap_; }

 private:
  hypervisor::Tap tap_;
  std::vector<TapFrames> queues_;  // each of one worker
};

}  // namespace ringback::backend
