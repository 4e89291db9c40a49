#include "backend/port/tap_port.hpp"

namespace ringback::backend {

TapPort::TapPort(hypervisor::Tap tap) : tap_(std::move(tap)) {
  for (std::size_t i = 0; i < tap_.queue_count(); ++i) queues_.emplace_back(tap_.queue(i));
}

void TapPort::send(std::span<Frame> burst, std::size_t queue, Copier& copier, Counters& counters) {
  std::array<Frame*, burst_size> list;
  for (std::size_t i = 0; i < burst.size(); ++i) list[i] = &burst[i];
  queues_[queue].write({list.data(), burst.size()}, copier, counters);
}

Read TapPort::receive(std::size_t queue, RxSink& guest, Copier& copier) {
  TapBurst burst;
  queues_[queue].read(copier, burst);
  if (burst.count > 0) guest.deliver({burst.list.data(), burst.count}, copier);
  return burst.next;
}

}  // namespace ringback::backend
