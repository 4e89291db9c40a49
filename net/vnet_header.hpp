// The header in front of every frame of a Linux tap opened with IFF_VNET_HDR, and what it
// means. Pure.
//
//   byte 0      1          2         4          6            8             10
//        | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |
//
// Little endian (linux/virtio_net.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "net/headers.hpp"
#include "net/offload.hpp"

namespace ringback::net {

// linux/virtio_net.h itself does not compile as C++.
struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_length = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

// head: the frame's first bytes. For a partial checksum or GSO the places come from the frame's own
// headers, which a netif frame does not carry; nothing if the frame has none (then it can't be what
// the offload says: drop it).
std::optional<VnetHeader> to_vnet_header(const Offload& offload, std::span<const std::byte> head,
                                         std::size_t frame_size);

// Whether the frame can be what its offload says: it has a place for a partial checksum, and GSO is
// of TCP, of its own family, in segments that TCP would send.
bool is_credible(const Offload& offload, std::span<const std::byte> head, std::size_t frame_size);

// What the kernel says of a frame read from a tap; nothing for a kind that netif can't express (the
// tap was not opened for it).
std::optional<Offload> from_vnet_header(const VnetHeader& header);

}  // namespace ringback::net
