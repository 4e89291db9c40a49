#include "backend/switch/uplink.hpp"

namespace ringback::backend {

bool Uplink::serve(Copier& copier) {
  if (read_ != Read::now) return false;
  TapBurst burst;
  frames_.read(copier, burst);
  read_ = burst.next;
  port_.send({burst.frames.data(), burst.count}, 0, copier, from_host_);
  return true;
}

std::optional<Fault> Uplink::fault() const {
  if (read_ != Read::never) return std::nullopt;
  return Fault{Fault::Of::device, "its tap was deleted"};
}

void Uplink::deliver(std::span<Frame* const> frames, Copier& copier) {
  const std::lock_guard lock(mutex_);
  frames_.write(frames, copier, to_host_);
}

}  // namespace ringback::backend
