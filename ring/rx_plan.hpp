// The backend's writing to a guest's rx ring: a frame's size and the free requests in, copies and
// responses out. Pure.
//
//   | slot 0: flags, status = bytes in it | GSO extra, if any | more data slots ... |
//
// Each data slot but the last has more_data; the other flags are slot 0's.
// A response lies in the slot of the request that it uses, in order, and echoes its id.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/offload.hpp"
#include "ring/netif_offload.hpp"

namespace ringback::ring {

// The longest frame towards a guest: what a tap with GSO can deliver, with its VLAN tag.
inline constexpr std::size_t max_rx_size = 65536 + 18;
inline constexpr std::size_t max_rx_slots = (max_rx_size + page_size - 1) / page_size + 1;

// Requests that a frame needs. first_size: bytes in its first slot, if it is not to be filled; a
// frame that lies in the sender's pages can be cut where these are, and each page is one copy then.
constexpr Index rx_slots(std::size_t size, const net::Offload& offload,
                         std::size_t first_size = 0) {
  const std::size_t pages = (size - first_size + page_size - 1) / page_size + (first_size > 0);
  return static_cast<Index>(pages) + (offload.gso != net::Gso::none);
}

// Frame bytes [frame_offset, +size) go to the start of the page behind gref. response: which of the
// plan's responses speaks for them, so that a failed copy can be reported there.
struct RxCopy {
  std::uint32_t gref;
  std::uint32_t frame_offset;
  std::uint16_t size;
  std::uint16_t response;
};

struct RxPlan {
  std::uint16_t copy_count = 0;
  std::uint16_t response_count = 0;
  std::array<RxCopy, max_rx_slots> copies;
  std::array<RxResponse, max_rx_slots> responses;

  // A failed copy: negative status in its slot, and the ring still advances.
  void fail(const RxCopy& copy) { responses[copy.response].status = NETIF_RSP_ERROR; }
};

// free: private copies of the next requests, at least rx_slots(size, offload, first_size) of them,
// which are at most max_rx_slots; 0 < size <= max_rx_size; first_size < size, and at most a page; a
// frontend may take for granted that the first slot has the headers. The caller has already brought
// the frame down to what the guest negotiated.
//
// A frame that needs one slot: the whole of it goes to that page, with this response.
inline RxResponse one_slot_response(std::uint16_t id, std::size_t size,
                                    const net::Offload& offload) {
  return {id, 0, to_flags(offload, rx_checksum_flags), static_cast<std::int16_t>(size)};
}
// Any frame.
RxPlan plan_rx(std::size_t size, const net::Offload& offload, std::span<const RxRequest> free,
               std::size_t first_size = 0);

}  // namespace ringback::ring
