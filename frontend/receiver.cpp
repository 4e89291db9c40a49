#include "frontend/receiver.hpp"

#include "ring/netif_offload.hpp"

namespace ringback::frontend {
namespace {

using hypervisor::Access;

tl::unexpected<Error> lie(const std::string& what) {
  return failure(EPROTO, "the backend broke the rx ring's rules: " + what);
}

constexpr std::uint16_t slot_of(ring::Index index) {
  return static_cast<std::uint16_t>(index % Receiver::slots);
}

}  // namespace

Result<Receiver> Receiver::share(hypervisor::GrantSharer& sharer, hypervisor::DomainId backend) {
  auto ring_pages = sharer.share(backend, 1, Access::read_write);
  if (!ring_pages) return tl::unexpected(ring_pages.error());
  auto pages = sharer.share(backend, slots, Access::read_write);
  if (!pages) return tl::unexpected(pages.error());
  return Receiver(std::move(*ring_pages), std::move(*pages));
}

Receiver::Receiver(hypervisor::SharedPages ring_pages, hypervisor::SharedPages pages)
    : ring_pages_(std::move(ring_pages)),
      pages_(std::move(pages)),
      ring_(ring::RxFrontRing::initialise(ring_pages_.bytes())) {
  repost();
}

Result<void> Receiver::look() {
  const auto ready = ring_.unconsumed();
  if (!ready) return lie("it answered more slots than it was given");
  ring_.responses(std::span(responses_).first(*ready));
  const ring::Index first = ring_.next_response();
  for (ring::Index i = 0; i < *ready; ++i) ids_[i] = slot_of(first + i);
  seen_ = *ready;
  read_ = 0;
  return {};
}

Result<const Receiver::Frame*> Receiver::next(Counters::Rx& counters) {
  while (read_ < seen_) {
    if (read_ + prefetched_ahead < seen_) __builtin_prefetch(page(ids_[read_ + prefetched_ahead]));
    if (const auto& response = responses_[read_]; ring::is_one_slot_frame(response, ids_[read_])) {
      frame_.size = static_cast<std::uint32_t>(response.status);
      frame_.offload = {.checksum = ring::to_checksum(response.flags, ring::rx_checksum_flags)};
      frame_.part_count = 1;
      frame_.parts[0] = {page(ids_[read_]) + response.offset, frame_.size};
      ++read_;
      ring_.consume(1);
      return &frame_;
    }
    const ring::Index count = seen_ - read_;
    const auto ids = std::span(ids_).subspan(read_, count);
    const auto chain = ring::read_rx_chain(std::span(responses_).subspan(read_, count), ids);
    if (chain.verdict == ring::RxVerdict::incomplete) break;
    if (chain.verdict == ring::RxVerdict::fatal)
      return lie("wrong ids, unknown extras or a frame of too many slots");
    read_ += chain.slots;
    ring_.consume(chain.slots);
    if (chain.verdict == ring::RxVerdict::error) {
      counters.drop_error += 1;
      continue;
    }
    frame_.size = chain.size;
    frame_.offload = chain.offload;
    frame_.part_count = 0;
    for (const auto& part : chain.view())
      frame_.parts[frame_.part_count++] = {page(ids[part.slot]) + part.offset, part.size};
    return &frame_;
  }
  return nullptr;
}

bool Receiver::repost() {
  const std::span<const hypervisor::GrantRef> refs = pages_.refs();
  const ring::Index count = ring_.free();
  ring_.put(count, [&](ring::Index i) {
    const std::uint16_t slot = slot_of(posted_ + i);
    return ring::RxRequest{.id = slot, .pad = 0, .gref = refs[slot]};
  });
  posted_ += count;
  return ring_.publish();
}

}  // namespace ringback::frontend
