#include "backend/port/tap_frames.hpp"

#include <algorithm>
#include <cerrno>

#include "net/vnet_header.hpp"
#include "ring/netif.hpp"
#include "ring/rx_plan.hpp"

namespace ringback::backend {
namespace {

// So many bytes at a time, so that what was copied is still in the cache when the kernel copies it.
constexpr std::size_t cache_friendly = 256 << 10;
// Room for the largest frame, which starts at a page, as the guest's buffers do, and before it for
// its tag.
constexpr std::size_t read_stride = hypervisor::whole_pages(ring::max_rx_size + head_room);

iovec part(std::span<std::byte> bytes) {
  return {bytes.data(), bytes.size()};
}

template <typename Header>
iovec part_of(Header& header) {
  return {&header, sizeof header};
}

Drop reason(int error) {
  // EIO: the device is down. EINVAL: the kernel found the headers wanting. Else its queue or its
  // memory is full.
  return error == EIO ? Drop::port_down : error == EINVAL ? Drop::bad_headers : Drop::full;
}

}  // namespace

void TapFrames::write(std::span<Frame* const> frames, Copier& copier, Counters& counters) const {
  const auto memory = copier.scratch();
  while (!frames.empty()) {
    std::array<std::span<std::byte>, burst_size> rests;
    std::size_t used = 0;
    std::size_t count = 0;
    for (; count < frames.size() && count < rests.size() && used < cache_friendly; ++count) {
      Frame& frame = *frames[count];
      if (frame.failed || frame.rest.empty()) continue;
      // With its pages where they are at the sender's: a copy that crosses one is two.
      const std::size_t start = hypervisor::whole_pages(used) + frame.rest.front().offset;
      rests[count] = memory.subspan(start, frame.size - frame.head.size());
      copier.to_local(frame.rest, frame, rests[count].data(), rests[count].size());
      used = start + rests[count].size();
    }
    copier.flush();

    std::array<net::VnetHeader, burst_size> headers;
    std::array<hypervisor::Transfer, burst_size> transfers;
    std::array<std::uint32_t, burst_size> sizes;
    std::size_t written = 0;
    for (std::size_t i = 0; i < count; ++i) {
      Frame& frame = *frames[i];
      if (frame.failed) {
        counters.drop(Drop::bad_grant);
        continue;
      }
      const auto header = net::to_vnet_header(frame.offload, frame.head, frame.size);
      if (!header) {
        counters.drop(Drop::bad_headers);
        continue;
      }
      headers[written] = *header;
      transfers[written].parts = {part_of(headers[written]), part(frame.head), part(rests[i])};
      sizes[written++] = frame.size;
    }
    copier.io().write(queue_, {transfers.data(), written});
    for (std::size_t i = 0; i < written; ++i) {
      if (transfers[i].result >= 0)
        counters.delivered(sizes[i]);
      else
        counters.drop(reason(-transfers[i].result));
    }
    frames = frames.subspan(count);
  }
}

// Reads as many frames as are likely to be there: one that isn't there costs a look.
void TapFrames::read(Copier& copier, TapBurst& burst) {
  const auto memory = copier.scratch().subspan(ring::page_size);
  const std::size_t most = std::min(memory.size() / read_stride, burst.frames.size());
  const std::size_t count =
      std::min({to_try_, most, std::max<std::size_t>(cache_friendly / last_size_, 1)});
  std::array<net::VnetHeader, burst_size> headers;
  std::array<hypervisor::Transfer, burst_size> transfers;
  for (std::size_t i = 0; i < count; ++i)
    transfers[i].parts = {part_of(headers[i]),
                          part(memory.subspan(i * read_stride, ring::max_rx_size)), iovec{}};
  copier.io().read(queue_, {transfers.data(), count});

  burst.count = 0;
  std::size_t got = 0;
  bool gone = false;
  // Not only up to the first that found nothing: a frame may have come between two reads.
  for (std::size_t i = 0; i < count; ++i) {
    const int result = transfers[i].result;
    gone = gone || result == -EBADFD;  // somebody removed the device
    if (result < static_cast<int>(sizeof(net::VnetHeader))) continue;
    ++got;
    last_size_ = static_cast<std::size_t>(result);
    const std::size_t size = last_size_ - sizeof(net::VnetHeader);
    const auto offload = net::from_vnet_header(headers[i]);
    if (!offload || size < net::ethernet_header_size) continue;  // nothing that was asked for
    Frame& frame = burst.frames[burst.count];
    frame = {};
    frame.head = memory.subspan(i * read_stride, size);
    frame.size = static_cast<std::uint32_t>(size);
    frame.offload = *offload;
    burst.list[burst.count++] = &frame;
  }
  // After a single one, waiting for the next costs no more than looking for it.
  burst.next = got == count && count > 1 ? Read::now : Read::when_readable;
  if (gone) burst.next = Read::never;
  to_try_ = got == count ? 2 * count : std::max<std::size_t>(got, 1);
}

}  // namespace ringback::backend
