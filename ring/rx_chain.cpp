#include "ring/rx_chain.hpp"

#include "net/headers.hpp"
#include "ring/netif_offload.hpp"

namespace ringback::ring {
namespace {

// Reads the extra behind the first response. RxVerdict::frame: go on.
RxVerdict read_extra(std::span<const RxResponse> responses, RxChain& chain) {
  if (chain.slots == responses.size()) return RxVerdict::incomplete;
  const ExtraInfo extra = as_extra(responses[chain.slots++]);
  // Nothing but GSO was negotiated, so there is never more than one.
  if (extra.type != XEN_NETIF_EXTRA_TYPE_GSO || extra.flags & XEN_NETIF_EXTRA_FLAG_MORE)
    return RxVerdict::fatal;
  return add_gso(extra, chain.offload) ? RxVerdict::frame : RxVerdict::error;
}

RxVerdict read_slots(std::span<const RxResponse> responses,
                     std::span<const std::uint16_t> expected_ids, RxChain& chain) {
  bool good = true;
  std::uint16_t fragments = 0;
  for (bool more = true; more;) {
    if (chain.slots == responses.size()) return RxVerdict::incomplete;
    if (++fragments > max_rx_slots) return RxVerdict::fatal;
    const std::uint16_t slot = chain.slots++;
    const RxResponse& response = responses[slot];
    if (response.id != expected_ids[slot]) return RxVerdict::fatal;
    more = response.flags & NETRXF_more_data;

    // A negative status is the backend's word that the copy failed.
    if (response.status < 0 || response.offset + response.status > static_cast<int>(page_size)) {
      good = false;
    } else if (response.status > 0) {
      const auto size = static_cast<std::uint16_t>(response.status);
      chain.parts[chain.part_count++] = {slot, response.offset, size};
      chain.size += size;
    }

    if (slot > 0) continue;
    chain.offload.checksum = to_checksum(response.flags, rx_checksum_flags);
    if (response.flags & NETRXF_extra_info) {
      const RxVerdict verdict = read_extra(responses, chain);
      if (verdict == RxVerdict::error) good = false;
      if (verdict == RxVerdict::fatal || verdict == RxVerdict::incomplete) return verdict;
    }
  }
  if (chain.size < net::ethernet_header_size || chain.size > max_rx_size) good = false;
  return good ? RxVerdict::frame : RxVerdict::error;
}

}  // namespace

RxChain read_rx_chain(std::span<const RxResponse> responses,
                      std::span<const std::uint16_t> expected_ids) {
  RxChain chain;  // not {}: the parts stay as they are
  chain.verdict = read_slots(responses, expected_ids, chain);
  return chain;
}

}  // namespace ringback::ring
