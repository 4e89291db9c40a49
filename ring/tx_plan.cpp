#include "ring/tx_plan.hpp"

#include "ring/netif_offload.hpp"

namespace ringback::ring {

TxPlan plan_tx(std::span<const Piece> pieces, const net::Offload& offload,
               std::span<const std::uint16_t> ids) {
  TxPlan plan;
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    total += piece.size;
    const auto more = static_cast<std::uint16_t>(i + 1 < pieces.size() ? NETTXF_more_data : 0);
    plan.requests[plan.count++] = {piece.gref, piece.offset, more, ids[i], piece.size};
    if (i == 0 && offload.gso != net::Gso::none)
      plan.requests[plan.count++] = from_extra<TxRequest>(gso_extra(offload));
  }
  TxRequest& first = plan.requests[0];
  first.size = static_cast<std::uint16_t>(total);
  first.flags |= to_flags(offload, tx_checksum_flags);
  if (offload.gso != net::Gso::none) first.flags |= NETTXF_extra_info;
  return plan;
}

}  // namespace ringback::ring
