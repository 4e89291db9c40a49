#include "backend/port/tap_port.hpp"

#include "backend/port/tap_frames.hpp"

namespace ringback::backend {

void TapPort::send(std::span<Frame> burst, std::size_t queue, Copier& copier, Counters& counters) {
  std::array<Frame*, burst_size> list;
  for (std::size_t i = 0; i < burst.size(); ++i) list[i] = &burst[i];
  write_frames(tap_.queue(queue), {list.data(), burst.size()}, copier, counters);
}

bool TapPort::receive(std::size_t queue, RxSink& guest, Copier& copier) {
  TapBurst burst;
  read_frames(tap_.queue(queue), copier, burst);
  if (burst.count > 0) guest.deliver({burst.list.data(), burst.count}, copier);
  return burst.more;
}

}  // namespace ringback::backend
