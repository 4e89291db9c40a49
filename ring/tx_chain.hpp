// The backend's reading of a guest's tx ring: slots in, a frame or a verdict out. Pure.
//
//   request 0: gref offset flags id size = WHOLE frame     more_data ->  request 1: size of this fragment  -> ...
//              extra_info -> extras come right behind request 0
//
// Rules: netif.h, and notes 6 to 16 of what real guests do: at most 18 slots; zero-length later fragments are legal
// and their grant is never touched (XSA-448); a fragment never crosses its page.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/offload.hpp"
#include "ring/netif.hpp"

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
  multicast,  // a multicast list change on a dummy request: answer OKAY (or ERROR if the list is full), forward nothing
  error,      // consume `slots`, answer ERROR: this frame is lost, the vif goes on
  fatal,      // the peer is broken or hostile: disable the vif
};

// Why a chain is not a frame; the words that the log and xenstore's error node show come from describe().
enum class TxFault : std::uint8_t {
  none,
  too_short,          // fewer than 14 bytes, an Ethernet header
  too_many_slots,     // error up to 21, fatal from 22 on, as Linux netback has it
  size_mismatch,      // the fragments' sizes exceed the frame's
  crosses_page,       // fatal from here on
  unfinished,         // more_data or extra_info past the producer index
  unknown_extra,
  bad_gso,
};
const char* describe(TxFault fault);

struct TxChain {
  TxVerdict verdict = TxVerdict::fatal;
  TxFault fault = TxFault::none;
  std::uint16_t slots = 0;        // requests that this chain takes off the ring, extras counted
  std::uint16_t extras = 0;       // how many of them are extras: they follow the first and are answered RSP_NULL
  std::uint16_t piece_count = 0;
  std::uint32_t size = 0;         // of the whole frame
  net::Offload offload;           // gso only with its extra
  McastRequest mcast{};           // for TxVerdict::multicast
  std::array<Piece, max_tx_slots> pieces;

  std::span<const Piece> view() const { return {pieces.data(), piece_count}; }
};

// Reads the chain that starts at slots[0]. slots: private copies of every request up to the producer index that the
// caller is willing to look at, at least one. A caller that looked at fewer than there are must offer at least
// 32 when it has them, so that `unfinished` means the peer's producer index and not the caller's window.
TxChain read_tx_chain(std::span<const TxRequest> slots);

}  // namespace ringback::ring
