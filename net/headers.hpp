// The headers of an Ethernet frame, as far as anything here decides on them. Pure; reads only
// within the bytes given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/offload.hpp"

namespace ringback::net {

inline constexpr std::size_t ethernet_header_size = 14;
// Enough linear bytes to parse any header that matters (XSA-423 asks for at least 128).
inline constexpr std::size_t head_size = 240;

struct Headers {
  enum class Network : std::uint8_t { other, ipv4, ipv6 };
  enum class Transport : std::uint8_t { other, tcp, udp, icmp, icmpv6 };

  std::uint16_t ether_type = 0;      // behind any VLAN tags (802.1Q, 802.1ad; at most 2)
  std::uint16_t network_offset = 0;  // of the IP header
  Network network = Network::other;
  Transport transport = Transport::other;  // other for fragments past the first
  bool fragment = false;                   // part of a fragmented IP packet, the first included
  std::uint16_t transport_offset = 0;      // 0 if there is no transport header within the bytes
  std::uint16_t payload_offset = 0;        // behind a TCP or UDP header; 0 if unknown
  std::uint32_t packet_end = 0;  // where the IP packet ends (padding may follow); 0 if it is none
};

// head: the frame's first bytes (at most the whole frame); frame_size: the whole. Nothing if it is
// shorter than an Ethernet header. A malformed IP, TCP or UDP header leaves `other`.
std::optional<Headers> parse_headers(std::span<const std::byte> head, std::size_t frame_size);

// Where a partial checksum starts and where its result goes, as vnet_hdr wants it. Nothing where
// there is no TCP, UDP or ICMPv6 header to hold one.
struct ChecksumPlace {
  std::uint16_t start = 0;   // from the frame's first byte
  std::uint16_t offset = 0;  // of the field, from start
};
std::optional<ChecksumPlace> checksum_place(const Headers& headers);

}  // namespace ringback::net
