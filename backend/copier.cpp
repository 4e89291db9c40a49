#include "backend/copier.hpp"

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
      software_scratch_(software_scratch_size) {}

void Copier::flush() {
  if (count_ == 0) return;
  const std::span batch(batch_.data(), count_);
  const bool called = grants_.copy(batch).has_value();
  for (std::size_t i = 0; i < count_; ++i) {
    if (!called || batch[i].status != GNTST_okay) [[unlikely]]
      blame(batch[i], owners_[i]);
  }
  count_ = 0;
}

void Copier::blame(const Copy& copy, const Owner& owner) {
  ++failures_;
  const bool from_grant = (copy.flags & GNTCOPY_source_gref) != 0;
  const bool to_grant = (copy.flags & GNTCOPY_dest_gref) != 0;
  const auto& source = copy.source.foreign;
  // A status doesn't say which of two grants was bad, so the source is tried alone.
  if (from_grant && (!to_grant || !readable({source.domid, source.ref, source.offset})))
    owner.frame->failed = true;
  if (owner.response != nullptr) owner.response->status = NETIF_RSP_ERROR;
}

bool Copier::readable(GrantEnd source) {
  std::byte byte;
  Copy probe = hypervisor::make_copy(source, LocalEnd{&byte}, 1);
  return grants_.copy({&probe, 1}).has_value() && probe.status == GNTST_okay;
}

std::span<std::byte> linearise(Frame& frame, std::span<std::byte> to, Copier& copier) {
  if (frame.rest.empty()) return frame.head.first(frame.size);
  copier.to_local(frame, to.data());
  copier.flush();
  if (frame.failed) return {};
  return to.first(frame.size);
}

}  // namespace ringback::backend
