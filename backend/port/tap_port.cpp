#include "backend/port/tap_port.hpp"

#include <sys/uio.h>

#include <array>

#include "net/vnet_header.hpp"

namespace ringback::backend {
namespace {

// Sent so many bytes at a time, so that what was copied is still in the cache when the kernel
// copies it.
constexpr std::size_t cache_friendly = 256 << 10;

}  // namespace

void TapPort::send(std::span<Frame> burst, std::size_t queue, Copier& copier, Counters& counters) {
  const auto memory = copier.scratch();
  while (!burst.empty()) {
    std::array<std::span<std::byte>, burst_size> rests;
    std::size_t used = 0;
    std::size_t count = 0;
    for (; count < burst.size() && used < cache_friendly; ++count) {
      Frame& frame = burst[count];
      if (frame.failed) continue;
      rests[count] = memory.subspan(used, frame.size - frame.head.size());
      FrameReader reader(frame);
      reader.next(frame.head.size());
      copier.to_local(reader, frame, rests[count].data(), rests[count].size());
      used += rests[count].size();
    }
    copier.flush();
    for (std::size_t i = 0; i < count; ++i) write(burst[i], rests[i], queue, counters);
    burst = burst.subspan(count);
  }
}

void TapPort::write(Frame& frame, std::span<std::byte> rest, std::size_t queue,
                    Counters& counters) {
  if (frame.failed) return counters.drop(Drop::bad_grant);
  auto header = net::to_vnet_header(frame.offload, frame.head, frame.size);
  if (!header) return counters.drop(Drop::bad_headers);
  const std::array<iovec, 3> parts = {iovec{&*header, sizeof *header},
                                      iovec{frame.head.data(), frame.head.size()},
                                      iovec{rest.data(), rest.size()}};
  if (writev(tap_.queue(queue), parts.data(), parts.size()) >= 0)
    return counters.delivered(frame.size);
  // EIO: the device is down. EINVAL: the kernel found the headers wanting. Else its queue or its
  // memory is full.
  counters.drop(errno == EIO ? Drop::port_down : errno == EINVAL ? Drop::bad_headers : Drop::full);
}

bool TapPort::receive(std::size_t queue, RxSink& guest, Copier& copier) {
  const auto memory = copier.scratch();
  std::array<Frame, burst_size> frames;
  std::array<Frame*, burst_size> list;
  std::size_t count = 0;
  std::size_t used = 0;
  bool more = true;
  while (count < frames.size() && used < cache_friendly) {
    net::VnetHeader header;
    const auto room = memory.subspan(used, ring::max_rx_size);
    const std::array<iovec, 2> parts = {iovec{&header, sizeof header},
                                        iovec{room.data(), room.size()}};
    const auto got = readv(tap_.queue(queue), parts.data(), parts.size());
    if (got < static_cast<ssize_t>(sizeof header)) {
      more = false;  // empty, or the device is gone
      break;
    }
    const auto size = static_cast<std::size_t>(got) - sizeof header;
    const auto offload = net::from_vnet_header(header);
    if (!offload || size < net::ethernet_header_size) continue;  // nothing that was asked for
    Frame& frame = frames[count];
    frame.head = room.first(size);
    frame.size = static_cast<std::uint32_t>(size);
    frame.offload = *offload;
    list[count++] = &frame;
    used += (size + 63) & ~std::size_t{63};
  }
  if (count > 0) guest.deliver({list.data(), count}, copier);
  return more;
}

}  // namespace ringback::backend
