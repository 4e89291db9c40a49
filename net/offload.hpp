// What a sender left for the receiver to do, or has already done: the meaning that netif's flags
// and tap's vnet_hdr share.
#pragma once

#include <cstdint>

namespace ringback::net {

enum class Checksum : std::uint8_t {
  unknown,   // as on a wire: the receiver has to check
  verified,  // known to be good
  partial,   // the field holds the pseudo-header's sum; the rest is still to be summed
};

enum class Gso : std::uint8_t { none, tcpv4, tcpv6 };
// TCP payload: TCP goes no lower (Linux's TCP_MIN_SND_MSS), and a hostile sender must not make
// 65,000 frames of one.
inline constexpr std::uint16_t smallest_segment = 48;

struct Offload {
  Checksum checksum = Checksum::unknown;
  Gso gso = Gso::none;
  std::uint16_t gso_size = 0;  // TCP payload bytes per segment; 0 exactly if gso is none

  friend bool operator==(const Offload&, const Offload&) = default;
};

// What a receiver can take; the rest is done for it in software, as late as possible.
struct Abilities {
  bool scatter_gather = false;  // frames of more than one slot
  bool checksum_v4 = false;     // partial checksums over IPv4
  bool checksum_v6 = false;
  bool gso_v4 = false;
  bool gso_v6 = false;

  friend bool operator==(const Abilities&, const Abilities&) = default;
};

}  // namespace ringback::net
