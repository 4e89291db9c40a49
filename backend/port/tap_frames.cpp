#include "backend/port/tap_frames.hpp"

#include <sys/uio.h>

#include <cerrno>

#include "net/vnet_header.hpp"
#include "ring/netif.hpp"
#include "ring/rx_plan.hpp"

namespace ringback::backend {
namespace {

// So many bytes at a time, so that what was copied is still in the cache when the kernel copies it.
constexpr std::size_t cache_friendly = 256 << 10;

void write_frame(int queue, Frame& frame, std::span<std::byte> rest, Counters& counters) {
  if (frame.failed) return counters.drop(Drop::bad_grant);
  auto header = net::to_vnet_header(frame.offload, frame.head, frame.size);
  if (!header) return counters.drop(Drop::bad_headers);
  const std::array<iovec, 3> parts = {iovec{&*header, sizeof *header},
                                      iovec{frame.head.data(), frame.head.size()},
                                      iovec{rest.data(), rest.size()}};
  if (writev(queue, parts.data(), parts.size()) >= 0) return counters.delivered(frame.size);
  // EIO: the device is down. EINVAL: the kernel found the headers wanting. Else its queue or its
  // memory is full.
  counters.drop(errno == EIO ? Drop::port_down : errno == EINVAL ? Drop::bad_headers : Drop::full);
}

}  // namespace

void write_frames(int queue, std::span<Frame* const> frames, Copier& copier, Counters& counters) {
  const auto memory = copier.scratch();
  while (!frames.empty()) {
    std::array<std::span<std::byte>, burst_size> rests;
    std::size_t used = 0;
    std::size_t count = 0;
    for (; count < frames.size() && count < rests.size() && used < cache_friendly; ++count) {
      Frame& frame = *frames[count];
      if (frame.failed) continue;
      rests[count] = memory.subspan(used, frame.size - frame.head.size());
      FrameReader reader(frame);
      reader.next(frame.head.size());
      copier.to_local(reader, frame, rests[count].data(), rests[count].size());
      used += rests[count].size();
    }
    copier.flush();
    for (std::size_t i = 0; i < count; ++i) write_frame(queue, *frames[i], rests[i], counters);
    frames = frames.subspan(count);
  }
}

void read_frames(int queue, Copier& copier, TapBurst& burst) {
  const auto memory = copier.scratch();
  std::size_t used = 0;
  burst.count = 0;
  burst.more = true;
  while (burst.count < burst.frames.size() && used < cache_friendly) {
    net::VnetHeader header;
    const auto room = memory.subspan(used, ring::max_rx_size);
    const std::array<iovec, 2> parts = {iovec{&header, sizeof header},
                                        iovec{room.data(), room.size()}};
    const auto got = readv(queue, parts.data(), parts.size());
    if (got < static_cast<ssize_t>(sizeof header)) {
      burst.more = false;
      return;
    }
    const auto size = static_cast<std::size_t>(got) - sizeof header;
    const auto offload = net::from_vnet_header(header);
    if (!offload || size < net::ethernet_header_size) continue;  // nothing that was asked for
    Frame& frame = burst.frames[burst.count];
    frame = {};
    frame.head = room.first(size);
    frame.size = static_cast<std::uint32_t>(size);
    frame.offload = *offload;
    burst.list[burst.count++] = &frame;
    used += (size + 63) & ~std::size_t{63};
  }
}

}  // namespace ringback::backend
