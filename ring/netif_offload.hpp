// netif's words for net::Offload: two flags, and the GSO extra. Pure.
#pragma once

#include <cstdint>

#include "net/offload.hpp"
#include "ring/netif.hpp"

namespace ringback::ring {

// tx and rx have the same two flags, in swapped places.
struct ChecksumFlags {
  std::uint16_t blank;
  std::uint16_t validated;
};
inline constexpr ChecksumFlags tx_checksum_flags{NETTXF_csum_blank, NETTXF_data_validated};
inline constexpr ChecksumFlags rx_checksum_flags{NETRXF_csum_blank, NETRXF_data_validated};

// A partial checksum carries both flags, and so does GSO: without them Linux guests sum in
// software, and Windows guests are unusable.
constexpr std::uint16_t to_flags(const net::Offload& offload, ChecksumFlags flags) {
  if (offload.checksum == net::Checksum::partial || offload.gso != net::Gso::none)
    return flags.blank | flags.validated;
  return offload.checksum == net::Checksum::verified ? flags.validated : std::uint16_t{0};
}

constexpr net::Checksum to_checksum(std::uint16_t slot_flags, ChecksumFlags flags) {
  if (slot_flags & flags.blank) return net::Checksum::partial;
  return slot_flags & flags.validated ? net::Checksum::verified : net::Checksum::unknown;
}

// For an offload with GSO.
inline ExtraInfo gso_extra(const net::Offload& offload) {
  ExtraInfo extra{};
  extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
  extra.u.gso.size = offload.gso_size;
  extra.u.gso.type =
      offload.gso == net::Gso::tcpv4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
  return extra;
}

// Adds what a GSO extra says; a segment's checksum can only be summed once it is cut, so it counts
// as partial. False if the size is 0 or the type is unknown.
inline bool add_gso(const ExtraInfo& extra, net::Offload& offload) {
  const auto& gso = extra.u.gso;
  if (gso.size == 0) return false;
  if (gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && gso.type != XEN_NETIF_GSO_TYPE_TCPV6) return false;
  offload = {.checksum = net::Checksum::partial,
             .gso = gso.type == XEN_NETIF_GSO_TYPE_TCPV4 ? net::Gso::tcpv4 : net::Gso::tcpv6,
             .gso_size = gso.size};
  return true;
}

}  // namespace ringback::ring
