// What becomes of a frame that the tap gave us, given what the backend takes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/offload.hpp"
#include "net/vnet_header.hpp"

namespace ringback::frontend {

enum class Outgoing : std::uint8_t {
  as_is,      // the backend takes it with its offload
  sum,        // finish_checksum() it first
  segment,    // cut it up first (net::Segmenter)
  malformed,  // too short, or not what its vnet_hdr says
  too_long,   // more than one slot, and the backend takes no more
};

// head: the frame's first bytes, net::head_size of them if it has that many.
Outgoing judge(const net::VnetHeader& header, std::span<const std::byte> head,
               std::size_t frame_size, const net::Abilities& backend);

// Finishes a partial checksum where the kernel says it is: inside a tunnel, say, where netif has no
// word for it. False, and nothing changed, if that is not within the frame.
bool finish_checksum(std::span<std::byte> frame, const net::VnetHeader& header);

}  // namespace ringback::frontend
