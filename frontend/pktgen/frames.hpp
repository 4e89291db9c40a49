// The frames that are generated, and what is read of them when they come back. Pure.
//
//   byte 0          14       34       42      60
//        | Ethernet | IPv4   | UDP    | stamp | payload             up to 1514 bytes
//
//        | Ethernet | IPv4   | TCP            | stamp | payload     longer ones: GSO, up to 65535
//   byte 0          14       34               54      72
//
//   stamp: magic 2, flow 4, number 4, time 8, in this machine's byte order: the sink is on it, too
//
// Addresses are those set apart for benchmarks (RFC 2544): 198.18.0.0/16 to 198.19.0.0/16.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "net/offload.hpp"

namespace ringback::frontend {

inline constexpr std::size_t shortest_frame = 60;
inline constexpr std::size_t longest_datagram = 1514;
inline constexpr std::size_t longest_frame = 65535;  // netif's sizes have 16 bits

using MacAddress = std::array<std::uint8_t, 6>;

struct Stamp {
  std::uint32_t flow = 0;
  std::uint32_t number = 0;
  std::uint64_t time = 0;  // nanoseconds
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// What all frames of one flow and one size have in common.
struct FrameHead {
  std::array<std::byte, 54> bytes{};
  std::uint32_t size = 0;  // of the whole frame
  std::uint16_t stamp_at = 0;
  net::Offload offload;
};

// flow: chooses IP addresses and ports. size: shortest_frame..longest_frame.
FrameHead make_head(const MacAddress& from, const MacAddress& to, std::uint32_t flow,
                    std::size_t size);

// The frame's beginning, up to its payload.
void write_head(std::byte* frame, const FrameHead& head, const Stamp& stamp);
// The payload, where it is among so many bytes from `offset` in the frame on, which go to `to`.
void write_payload(std::byte* to, std::size_t offset, std::size_t size, const FrameHead& head,
                   const Stamp& stamp);

// What a frame that has come says of itself; nothing if it is somebody else's. first: its first
// bytes, at least 72 if it has as many.
std::optional<Stamp> read_stamp(std::span<const std::byte> first);
// Whether the payload is what write_payload() wrote; reads all of it.
bool payload_is_right(std::span<const iovec> frame, const Stamp& stamp);

}  // namespace ringback::frontend
