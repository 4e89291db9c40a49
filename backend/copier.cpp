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
constexpr std::size_t usual_batch = 2048;
}  // namespace

Copier::Copier(hypervisor::GrantUser& grants, hypervisor::Io& io)
    : grants_(grants),
      io_(io),
      heads_(burst_size * net::head_size),
      whole_frames_(whole_frames_size),
      scratch_(scratch_size),
      software_scratch_(software_scratch_size) {
  batch_.reserve(usual_batch);
  owners_.reserve(usual_batch);
}

void Copier::to_grant(FrameReader& from, Frame& frame, const GrantEnd& to, std::size_t size,
                      ring::RxResponse& response) {
  for (std::size_t done = 0; done < size;) {
    const auto chunk = from.next(size - done);
    const GrantEnd end{to.domain, to.ref, static_cast<std::uint16_t>(to.offset + done)};
    if (chunk.local != nullptr)
      append(LocalEnd{chunk.local}, end, chunk.size, &frame, &response);
    else
      append(GrantEnd{frame.domain, chunk.gref, chunk.offset}, end, chunk.size, &frame, &response);
    done += chunk.size;
  }
}

void Copier::to_local(FrameReader& from, Frame& frame, std::byte* to, std::size_t size) {
  while (size > 0) {
    const auto chunk = from.next(size);
    if (chunk.local != nullptr)
      std::copy_n(chunk.local, chunk.size, to);
    else
      append(GrantEnd{frame.domain, chunk.gref, chunk.offset}, LocalEnd{to}, chunk.size, &frame,
             nullptr);
    to += chunk.size;
    size -= chunk.size;
  }
}

void Copier::flush() {
  if (batch_.empty()) return;
  const bool called = grants_.copy(batch_).has_value();
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if (!called || batch_[i].status != GNTST_okay) blame(batch_[i], owners_[i]);
  }
  batch_.clear();
  owners_.clear();
}

void Copier::blame(const Copy& copy, const Owner& owner) {
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
  FrameReader reader(frame);
  copier.to_local(reader, frame, to.data(), frame.size);
  copier.flush();
  if (frame.failed) return {};
  return to.first(frame.size);
}

}  // namespace ringback::backend
