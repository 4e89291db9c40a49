#include "ring/tx_chain.hpp"

#include <algorithm>

#include "net/headers.hpp"
#include "ring/netif_offload.hpp"

namespace ringback::ring {
namespace {

constexpr std::uint16_t fatal_tx_slots = 22;

void fail(TxChain& chain, TxVerdict verdict, TxFault fault) {
  chain.verdict = verdict;
  chain.fault = fault;
  chain.piece_count = 0;
}

// Reads the extras behind the first request. Leaves TxVerdict::multicast if one of them is a list
// change.
TxFault read_extras(std::span<const TxRequest> slots, TxChain& chain) {
  ExtraInfo extra;
  do {
    if (chain.slots == slots.size()) return TxFault::unfinished;
    extra = as_extra(slots[chain.slots++]);
    ++chain.extras;
    switch (extra.type) {
      case XEN_NETIF_EXTRA_TYPE_GSO:
        if (chain.offload.gso != net::Gso::none) return TxFault::unknown_extra;
        if (!add_gso(extra, chain.offload)) return TxFault::bad_gso;
        break;
      case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
      case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
        if (chain.verdict == TxVerdict::multicast) return TxFault::unknown_extra;
        chain.verdict = TxVerdict::multicast;
        chain.mcast.add = extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
        std::ranges::copy(extra.u.mcast.addr, chain.mcast.mac.begin());
        break;
      default:
        return TxFault::unknown_extra;
    }
  } while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
  return TxFault::none;
}

// size: the first fragment's own.
void end(const TxRequest& first, std::uint16_t size, TxChain& chain) {
  if (crosses_page(first.offset, size)) return fail(chain, TxVerdict::fatal, TxFault::crosses_page);
  if (size < net::ethernet_header_size) return fail(chain, TxVerdict::error, TxFault::too_short);
  chain.pieces[0] = {first.gref, first.offset, size};
  chain.verdict = TxVerdict::frame;
}

}  // namespace

const char* describe(TxFault fault) {
  switch (fault) {
    case TxFault::none:
      return "no fault";
    case TxFault::too_short:
      return "the first fragment is shorter than an Ethernet header";
    case TxFault::too_many_slots:
      return "more than 18 slots in a frame";
    case TxFault::size_mismatch:
      return "the fragments are together larger than the frame";
    case TxFault::crosses_page:
      return "a fragment crosses its page";
    case TxFault::unfinished:
      return "a frame goes on past the producer index";
    case TxFault::unknown_extra:
      return "an extra of an unknown type, or one given twice";
    case TxFault::bad_gso:
      return "a GSO extra with size 0 or an unknown type";
  }
  return "unknown fault";
}

TxChain read_tx_chain(std::span<const TxRequest> slots) {
  TxChain chain;  // not {}: the pieces stay as they are, and are built where the caller has them
  read_tx_chain(slots, chain);
  return chain;
}

void read_any_tx_chain(std::span<const TxRequest> slots, TxChain& chain) {
  const TxRequest& first = slots.front();
  begin_chain(first, chain);
  if (first.flags & NETTXF_extra_info) {
    const TxFault fault = read_extras(slots, chain);
    if (fault != TxFault::none) return fail(chain, TxVerdict::fatal, fault);
    if (chain.verdict == TxVerdict::multicast) return;
  }

  std::uint16_t fragments = 1;
  std::uint32_t behind_first = 0;  // bytes
  chain.piece_count = 1;
  for (unsigned flags = first.flags; flags & NETTXF_more_data;) {
    if (chain.slots == slots.size()) return fail(chain, TxVerdict::fatal, TxFault::unfinished);
    if (++fragments == fatal_tx_slots)
      return fail(chain, TxVerdict::fatal, TxFault::too_many_slots);
    const TxRequest& slot = slots[chain.slots++];
    flags = slot.flags;
    if (crosses_page(slot.offset, slot.size))
      return fail(chain, TxVerdict::fatal, TxFault::crosses_page);
    behind_first += slot.size;
    if (slot.size > 0 && fragments <= max_tx_slots)
      chain.pieces[chain.piece_count++] = {slot.gref, slot.offset, slot.size};
  }

  if (behind_first > first.size) return fail(chain, TxVerdict::error, TxFault::size_mismatch);
  end(first, static_cast<std::uint16_t>(first.size - behind_first), chain);
  if (fragments > max_tx_slots && chain.fault != TxFault::crosses_page)
    fail(chain, TxVerdict::error, TxFault::too_many_slots);
}

}  // namespace ringback::ring
