// The backend's reading of a guest's tx ring: slots in, a frame or a verdict out. Pure.
//
//   | request 0: gref, offset, flags, id, size of the WHOLE frame |
//   | extras, if request 0 has extra_info; more while they say so |
//   | request 1: its size is its own; goes on while more_data ... |
//
// Rules: netif.h, and what real guests do: at most 18 slots, extras not counted; zero-length later
// fragments are legal and their grant is never touched (XSA-448); a fragment never crosses its
// page. Each kind of extra comes at most once, which also bounds them. A multicast request is a
// dummy: it and its extras, whatever its other fields say.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/headers.hpp"
#include "net/offload.hpp"
#include "ring/netif.hpp"
#include "ring/netif_offload.hpp"

namespace ringback::ring {

// Bytes in one granted page; offset + size <= 4096, size > 0.
struct Piece {
  std::uint32_t gref;
  std::uint16_t offset;
  std::uint16_t size;
};

struct McastRequest {
  bool add;
  std::array<std::uint8_t, 6> mac;
};

enum class TxVerdict : std::uint8_t {
  frame,      // consume `slots`, forward, answer OKAY
  multicast,  // a multicast list change: answer OKAY (ERROR if the list is full), forward nothing
  error,      // consume `slots`, answer ERROR: this frame is lost, the vif goes on
  fatal,      // the peer is broken or hostile: disable the vif. Wins over error
};

// Why a chain is not a frame; the words that the log and xenstore's error node show come from
// describe().
enum class TxFault : std::uint8_t {
  none,
  too_short,       // the first fragment is shorter than an Ethernet header
  too_many_slots,  // error up to 21, fatal from 22 on, as Linux netback has it
  size_mismatch,   // the fragments' sizes exceed the frame's
  crosses_page,    // fatal from here on
  unfinished,      // more_data or extra_info past the producer index
  unknown_extra,   // or one given twice
  bad_gso,         // size 0 or an unknown type
};
const char* describe(TxFault fault);

struct TxChain {
  TxVerdict verdict = TxVerdict::fatal;
  TxFault fault = TxFault::none;
  std::uint16_t slots = 0;   // requests that this chain takes off the ring, extras counted
  std::uint16_t extras = 0;  // those of them behind the first that are to be answered RSP_NULL
  std::uint16_t piece_count = 0;
  std::uint32_t size = 0;  // of the whole frame
  net::Offload offload;    // gso only with its extra, and then the checksum is partial
  McastRequest mcast{};    // for TxVerdict::multicast
  std::array<Piece, max_tx_slots> pieces;

  std::span<const Piece> view() const { return {pieces.data(), piece_count}; }
};

// Reads the chain that starts at slots[0] . slots: private copies of every request up to the
// producer index that the caller is willing to look at, at least one. A caller that looked at fewer
// than there are must offer at least 32 when it has them, so that `unfinished` means the peer's
// producer index and not the caller's window.
TxChain read_tx_chain(std::span<const TxRequest> slots);

// The bytes of a request lie in one page.
constexpr bool crosses_page(std::uint32_t offset, std::uint32_t size) {
  return offset + size > page_size;
}

// One request, of which nothing is known yet.
inline void begin_chain(const TxRequest& first, TxChain& chain) {
  chain.verdict = TxVerdict::fatal;
  chain.fault = TxFault::none;
  chain.slots = 1;
  chain.extras = 0;
  chain.piece_count = 0;
  chain.size = first.size;
  chain.offload = {to_checksum(first.flags, tx_checksum_flags), net::Gso::none, 0};
}

// Whatever lies there.
void read_any_tx_chain(std::span<const TxRequest> slots, TxChain& chain);
// The same into `chain`, whatever was in it: a burst has many, and they are large. Most are one
// good slot, and those are read in line.
inline void read_tx_chain(std::span<const TxRequest> slots, TxChain& chain) {
  const TxRequest& first = slots.front();
  if ((first.flags & (NETTXF_extra_info | NETTXF_more_data)) != 0 ||
      first.size < net::ethernet_header_size || crosses_page(first.offset, first.size)) [[unlikely]]
    return read_any_tx_chain(slots, chain);
  begin_chain(first, chain);
  chain.verdict = TxVerdict::frame;
  chain.piece_count = 1;
  chain.pieces[0] = {first.gref, first.offset, first.size};
}

}  // namespace ringback::ring
