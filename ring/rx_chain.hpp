// The frontend's reading of its rx ring: the mirror of rx_plan.hpp. Pure. The backend is not
// trusted.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/headers.hpp"
#include "net/offload.hpp"
#include "ring/netif.hpp"
#include "ring/rx_plan.hpp"

namespace ringback::ring {

enum class RxVerdict : std::uint8_t {
  frame,       // deliver
  incomplete,  // the chain goes on past the responses at hand: come back when there are more
  error,       // a slot failed or says nonsense: drop the frame, recycle its buffers, go on
  fatal,       // the backend is broken: wrong ids, too many slots, extras that nobody asked for
};

// A part of the frame: `size` bytes from `offset` in the buffer that was posted with request `slot`
// of the chain.
struct RxPart {
  std::uint16_t slot;
  std::uint16_t offset;
  std::uint16_t size;
};

struct RxChain {
  RxVerdict verdict = RxVerdict::incomplete;
  std::uint16_t slots = 0;  // responses that this chain takes, extras counted
  std::uint16_t part_count = 0;
  std::uint32_t size = 0;
  net::Offload offload;
  std::array<RxPart, max_rx_slots> parts;

  std::span<const RxPart> view() const { return {parts.data(), part_count}; }
};

// Whether a response is a whole good frame by itself, as most are: what read_rx_chain() would find
// out in more steps.
constexpr bool is_one_slot_frame(const RxResponse& response, std::uint16_t expected_id) {
  return (response.flags & (NETRXF_more_data | NETRXF_extra_info)) == 0 &&
         response.id == expected_id &&
         response.status >= static_cast<int>(net::ethernet_header_size) &&
         response.offset + response.status <= static_cast<int>(page_size);
}

// responses: private copies of all that are published, at least one; expected_ids: the id posted in
// each of their slots. `incomplete` is bounded: a chain of max_rx_slots data slots that still goes
// on is fatal.
RxChain read_rx_chain(std::span<const RxResponse> responses,
                      std::span<const std::uint16_t> expected_ids);

}  // namespace ringback::ring
