#include "backend/switch/uplink.hpp"

#include "backend/port/tap_frames.hpp"

namespace ringback::backend {

bool Uplink::serve(Copier& copier) {
  if (!readable_) return false;
  TapBurst burst;
  read_frames(fd(), copier, burst);
  readable_ = burst.more;
  port_.send({burst.frames.data(), burst.count}, 0, copier, from_host_);
  return readable_;
}

void Uplink::deliver(std::span<Frame* const> frames, Copier& copier) {
  const std::lock_guard lock(mutex_);
  write_frames(fd(), frames, copier, to_host_);
}

}  // namespace ringback::backend
