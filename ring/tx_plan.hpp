// The frontend's writing to its tx ring: the mirror of tx_chain.hpp. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/offload.hpp"
#include "ring/netif.hpp"
#include "ring/tx_chain.hpp"

namespace ringback::ring {

struct TxPlan {
  std::uint16_t count = 0;
  std::array<TxRequest, max_tx_slots + 1> requests;  // with one GSO extra
  std::span<const TxRequest> view() const { return {requests.data(), count}; }
};

// pieces: the frame's bytes in order, 1 to 18 of them, together 14 to 65,535 bytes. ids: one for
// each piece; an extra has no id, but its slot is answered too (RSP_NULL).
TxPlan plan_tx(std::span<const Piece> pieces, const net::Offload& offload,
               std::span<const std::uint16_t> ids);

}  // namespace ringback::ring
