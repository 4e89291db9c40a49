#include "backend/copier.hpp"

#include <algorithm>

namespace ringback::backend {

using hypervisor::Copy;
using hypervisor::GrantEnd;
using hypervisor::LocalEnd;

namespace {
// For a burst from a tap; what is written to one is cut long before.
constexpr std::size_t scratch_size = 2 << 20;
// What a ring of one page can hold, and the space between.
constexpr std::size_t whole_frames_size = (1 << 20) + burst_size * ring::page_size;
constexpr std::size_t software_scratch_size = 4 * ring::max_rx_size;
}  // namespace

Copier::Copier(hypervisor::GrantUser& grants, hypervisor::Io& io)
    : grants_(grants),
      io_(io),
      batch_(batch_size),
      owners_(batch_size),
      heads_(burst_size * head_stride),
      whole_frames_(whole_frames_size),
      scratch_(scratch_size),
      software_scratch_(software_scratch_size),
      discarded_(ring::page_size) {}

void Copier::rest_to_grant(Frame& frame, GrantEnd to, ring::RxResponse& response) {
  std::size_t offset = to.offset + frame.head.size();
  for (const ring::Piece& piece : frame.rest) {
    to.offset = static_cast<std::uint16_t>(offset);
    append(GrantEnd{frame.domain, piece.gref, piece.offset}, to, piece.size, &frame, &response);
    offset += piece.size;
  }
}

void Copier::flush() {
  if (count_ == 0) return;
  const std::span batch(batch_.data(), count_);
  if (!grants_.copy(batch))
    for (Copy& copy : batch) copy.status = GNTST_general_error;
  const auto failed = [](const Copy& copy) { return copy.status != GNTST_okay; };
  if (std::ranges::any_of(batch, failed)) [[unlikely]]
    blame();
  count_ = 0;
}

// A status doesn't say which of two grants was bad, so the sources are tried alone: all of them in
// one call, for a hostile receiver must not cost its sender one for each. As much of them as
// before, for a grant may end within its page (grant_entry_v2).
void Copier::blame() {
  std::size_t probes = 0;  // in the batch's place
  for (std::size_t i = 0; i < count_; ++i) {
    const Copy& copy = batch_[i];
    if (copy.status == GNTST_okay) continue;
    ++failures_;
    const Owner owner = owners_[i];
    if (owner.response != nullptr) owner.response->status = NETIF_RSP_ERROR;
    if ((copy.flags & GNTCOPY_source_gref) == 0) continue;
    const auto source = copy.source.foreign;
    const std::uint16_t size = copy.len;
    if ((copy.flags & GNTCOPY_dest_gref) == 0) {
      owner.frame->failed = true;
      continue;
    }
    owners_[probes] = owner;
    hypervisor::set_copy(batch_[probes], GrantEnd{source.domid, source.ref, source.offset},
                         LocalEnd{discarded_.span().data()}, size);
    ++probes;
  }
  if (probes == 0) return;
  const bool called = grants_.copy({batch_.data(), probes}).has_value();
  for (std::size_t i = 0; i < probes; ++i)
    if (!called || batch_[i].status != GNTST_okay) owners_[i].frame->failed = true;
}

std::span<std::byte> linearise(Frame& frame, std::span<std::byte> to, Copier& copier) {
  if (frame.rest.empty()) return frame.head.first(frame.size);
  copier.to_local(frame, to.data());
  copier.flush();
  if (frame.failed) return {};
  return to.first(frame.size);
}

}  // namespace ringback::backend
