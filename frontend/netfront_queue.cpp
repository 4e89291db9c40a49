#include "frontend/netfront_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "net/checksum.hpp"

namespace ringback::frontend {
namespace {

constexpr std::size_t burst = 64;
// Buffers go back to the backend this often, so that a burst can't starve it of them.
constexpr std::size_t repost_at = 32;
// What software has summed.
constexpr net::Offload summed{.checksum = net::Checksum::verified};

// Copies bytes from `parts` to `out` until one of them ends; returns how many.
std::size_t gather(std::span<const iovec> parts, std::span<std::byte> out) {
  std::size_t done = 0;
  for (const auto& part : parts) {
    const std::size_t here = std::min(part.iov_len, out.size() - done);
    std::memcpy(out.data() + done, part.iov_base, here);
    done += here;
  }
  return done;
}

void scatter(std::span<const std::byte> bytes, std::span<const iovec> pages) {
  for (std::size_t done = 0, i = 0; done < bytes.size(); ++i) {
    const std::size_t here = std::min(pages[i].iov_len, bytes.size() - done);
    std::memcpy(pages[i].iov_base, bytes.data() + done, here);
    done += here;
  }
}

}  // namespace

Result<std::unique_ptr<NetfrontQueue>> NetfrontQueue::connect(hypervisor::EventChannels& channels,
                                                              hypervisor::GrantSharer& sharer,
                                                              QueueSetup setup,
                                                              Counters& counters) {
  auto rings = QueueRings::connect(channels, sharer, setup.backend, setup.split_event_channels);
  if (!rings) return tl::unexpected(rings.error());
  return std::unique_ptr<NetfrontQueue>(
      new NetfrontQueue(std::move(*rings), std::move(setup), counters));
}

NetfrontQueue::NetfrontQueue(std::unique_ptr<QueueRings> rings, QueueSetup setup,
                             Counters& counters)
    : rings_(std::move(rings)),
      tx_(rings_->tx),
      rx_(rings_->rx),
      setup_(std::move(setup)),
      counters_(counters),
      tx_linear_(Transmitter::frame_pages * ring::page_size),
      segment_(ring::max_tx_size),
      rx_linear_(ring::max_rx_size) {}

Result<void> NetfrontQueue::serve(bool taps_readable) {
  if (auto reaped = tx_.reap(counters_.tx); !reaped) return reaped;
  if (auto received = receive(); !received) return received;
  continue_segmenting();
  if (taps_readable) {
    if (auto sent = transmit(); !sent) return sent;
  }
  rings_->publish();
  return {};
}

bool NetfrontQueue::arm() {
  const bool received = rx_.arm();
  const bool has_room = !wants_tap() && tx_.arm();
  return received || has_room;
}

// What one look at the ring finds: at most a ring full.
Result<void> NetfrontQueue::receive() {
  if (auto looked = rx_.look(); !looked) return looked;
  for (;;) {
    const auto frame = rx_.next(counters_.rx);
    if (!frame) return tl::unexpected(frame.error());
    if (*frame == nullptr) break;
    deliver(**frame);
    if (rx_.taken() >= repost_at) rings_->repost();
  }
  rings_->repost();
  return {};
}

void NetfrontQueue::deliver(const Receiver::Frame& frame) {
  Counters::Rx& count = counters_.rx;
  std::array<std::byte, net::head_size> head;
  std::size_t head_size = 0;
  const bool needs_head =
      frame.offload.checksum == net::Checksum::partial || frame.offload.gso != net::Gso::none;
  if (needs_head) {
    head_size = gather(frame.view(), head);
  } else if (setup_.verify_checksums && !checksum_is_right(frame)) {
    count.wrong_checksums += 1;
  }
  auto header = net::to_vnet_header(frame.offload, std::span(head).first(head_size), frame.size);
  if (!header) {
    count.drop_malformed += 1;
    return;
  }

  // The kernel gets the head that the header was made from, and the rest from the pages.
  std::array<iovec, 2 + ring::max_rx_slots> out;
  int pieces = 0;
  out[pieces++] = {&*header, sizeof *header};
  if (needs_head) out[pieces++] = {head.data(), head_size};
  std::size_t skip = head_size;
  for (const auto& part : frame.view()) {
    const std::size_t skipped = std::min(skip, part.iov_len);
    skip -= skipped;
    if (skipped < part.iov_len)
      out[pieces++] = {static_cast<std::byte*>(part.iov_base) + skipped, part.iov_len - skipped};
  }
  if (writev(setup_.taps.front(), out.data(), pieces) < 0) {
    count.drop_tap += 1;
    return;
  }
  count.frames += 1;
  count.bytes += frame.size;
}

bool NetfrontQueue::checksum_is_right(const Receiver::Frame& frame) {
  return net::checksum_is_right(std::span(rx_linear_).first(gather(frame.view(), rx_linear_)));
}

Result<void> NetfrontQueue::transmit() {
  for (const int tap : setup_.taps) {
    for (std::size_t i = 0; i < burst && wants_tap(); ++i) {
      const auto sent = transmit_one(tap);
      if (!sent) return tl::unexpected(sent.error());
      if (!*sent) break;
    }
  }
  return {};
}

// False: the tap has nothing.
Result<bool> NetfrontQueue::transmit_one(int tap) {
  Counters::Tx& count = counters_.tx;
  net::VnetHeader header;
  const auto pages = tx_.buffers();
  std::array<iovec, 1 + Transmitter::frame_pages> in;
  in[0] = {&header, sizeof header};
  std::copy(pages.begin(), pages.end(), in.begin() + 1);
  const ssize_t got = readv(tap, in.data(), static_cast<int>(in.size()));
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    return system_failure("cannot read from the tap");
  }
  const auto bytes = static_cast<std::size_t>(got);
  const std::size_t size = bytes - std::min(bytes, sizeof header);
  const std::span head(static_cast<const std::byte*>(pages[0].iov_base),
                       std::min(size, net::head_size));
  switch (const auto outgoing = judge(header, head, size, setup_.abilities)) {
    case Outgoing::malformed:
      count.drop_malformed += 1;
      return true;
    case Outgoing::too_long:
      count.drop_too_long += 1;
      return true;
    case Outgoing::as_is:
      tx_.put(size, *net::from_vnet_header(header));
      break;
    case Outgoing::sum:
    case Outgoing::segment:
      if (!transmit_in_software(outgoing, header, size)) {
        count.drop_malformed += 1;
        return true;
      }
  }
  count.frames += 1;
  count.bytes += size;
  return true;
}

// The frame is in tx_.buffers(). False: it is not what its header says.
bool NetfrontQueue::transmit_in_software(Outgoing outgoing, const net::VnetHeader& header,
                                         std::size_t size) {
  const auto pages = tx_.buffers();
  const std::span frame(tx_linear_.data(), size);
  gather(pages, frame);
  if (outgoing == Outgoing::sum) {
    if (!finish_checksum(frame, header)) return false;
    scatter(frame, pages);
    tx_.put(size, summed);
    return true;
  }
  segmenter_.emplace(frame, header.gso_size);
  if (!segmenter_->valid()) {
    segmenter_.reset();
    return false;
  }
  counters_.tx.segmented += 1;
  continue_segmenting();
  return true;
}

void NetfrontQueue::continue_segmenting() {
  if (!segmenter_) return;
  while (tx_.room() && !segmenter_->done()) {
    const std::size_t size = segmenter_->write_next(segment_);
    scatter(std::span(segment_).first(size), tx_.buffers());
    tx_.put(size, summed);
  }
  if (segmenter_->done()) segmenter_.reset();
}

}  // namespace ringback::frontend
