#include "frontend/transmitter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ring/netif_offload.hpp"

namespace ringback::frontend {
namespace {

using hypervisor::Access;

tl::unexpected<Error> lie(std::string what) {
  return failure(EPROTO, "the backend broke the tx ring's rules: " + std::move(what));
}

}  // namespace

Result<Transmitter> Transmitter::share(hypervisor::GrantSharer& sharer,
                                       hypervisor::DomainId backend) {
  auto ring_pages = sharer.share(backend, 1, Access::read_write);
  if (!ring_pages) return tl::unexpected(ring_pages.error());
  auto pool = sharer.share(backend, slots, Access::read_only);
  if (!pool) return tl::unexpected(pool.error());
  return Transmitter(std::move(*ring_pages), std::move(*pool));
}

Transmitter::Transmitter(hypervisor::SharedPages ring_pages, hypervisor::SharedPages pool)
    : ring_pages_(std::move(ring_pages)),
      pool_(std::move(pool)),
      ring_(ring::TxFrontRing::initialise(ring_pages_.bytes())) {
  std::iota(free_.begin(), free_.end(), std::uint16_t{0});
}

std::array<iovec, Transmitter::frame_pages> Transmitter::buffers() const {
  std::array<iovec, frame_pages> result;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = {page(i), ring::page_size};
  return result;
}

void Transmitter::put(std::size_t size, const net::Offload& offload) {
  if (size > ring::page_size || offload.gso != net::Gso::none) return put_chain(size, offload);
  // What plan_tx() would plan for one slot.
  const std::size_t id = next_page(0);
  sent_.set(id);
  --free_count_;
  ring_.put({.gref = pool_.refs()[id],
             .offset = 0,
             .flags = ring::to_flags(offload, ring::tx_checksum_flags),
             .id = static_cast<std::uint16_t>(id),
             .size = static_cast<std::uint16_t>(size)});
}

void Transmitter::put_chain(std::size_t size, const net::Offload& offload) {
  std::array<ring::Piece, frame_pages> pieces;
  std::array<std::uint16_t, frame_pages> ids;
  std::size_t count = 0;
  for (std::size_t done = 0; done < size; ++count) {
    const auto here = static_cast<std::uint16_t>(std::min(size - done, ring::page_size));
    const std::size_t page = next_page(count);
    ids[count] = static_cast<std::uint16_t>(page);
    pieces[count] = {pool_.refs()[page], 0, here};
    sent_.set(page);
    done += here;
  }
  const auto plan =
      ring::plan_tx(std::span(pieces).first(count), offload, std::span(ids).first(count));
  for (const auto& request : plan.view()) ring_.put(request);
  free_count_ -= count;
  extras_sent_ += plan.count - count;
}

Result<void> Transmitter::reap(Counters::Tx& counters) {
  const auto ready = ring_.unconsumed();
  if (!ready) return lie("it answered more slots than it was given");
  for (ring::Index i = 0; i < *ready; ++i) {
    const auto response = ring_.response(i);
    if (response.status == NETIF_RSP_NULL) {  // an extra's slot: its id says nothing (netif.h)
      if (extras_sent_ == 0) return lie("it answered an extra that was not sent");
      --extras_sent_;
      continue;
    }
    if (response.id >= slots || !sent_.test(response.id))
      return lie(fmt::format("it answered id {}, which is not under way", response.id));
    if (response.status != NETIF_RSP_OKAY) counters.refused += 1;
    sent_.reset(response.id);
    free_[free_count_++] = response.id;
  }
  ring_.consume(*ready);
  return {};
}

bool Transmitter::arm() {
  const ring::Index under_way = ring_.size() - ring_.free();
  return ring_.final_check(std::max<ring::Index>(1, under_way / 2));
}

}  // namespace ringback::frontend
