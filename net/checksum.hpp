// The Internet checksum (RFC 1071). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/headers.hpp"

namespace ringback::net {

// The folded one's complement sum, continued from `start`, of bytes that begin at an even place of
// the whole; not inverted.
std::uint16_t sum(std::span<const std::byte> bytes, std::uint32_t start = 0);

// The pseudo-header's sum for a TCP, UDP or ICMPv6 packet of `length` transport bytes, not
// inverted: what a partial checksum's field holds. The destination is the IP header's: not for a
// packet that is still being source-routed.
std::uint16_t pseudo_header_sum(std::span<const std::byte> frame, const Headers& headers,
                                std::uint32_t length);

// Finishes a partial checksum in a whole frame. False, and nothing changed, if the frame has no
// place for one.
bool finish_checksum(std::span<std::byte> frame);

// Whether a frame's TCP/UDP/ICMPv6 checksum is right; true where there is none to check (UDP over
// IPv4 with 0).
bool checksum_is_right(std::span<const std::byte> frame);

}  // namespace ringback::net
