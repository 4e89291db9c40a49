// A frame on its way through the backend. It is passed by reference within one burst and owns
// nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hypervisor/types.hpp"
#include "net/headers.hpp"
#include "net/offload.hpp"
#include "net/vlan.hpp"
#include "ring/tx_chain.hpp"

namespace ringback::backend {

// At most so many frames move as one.
inline constexpr std::size_t burst_size = 64;

inline constexpr std::size_t head_room = 16;
static_assert(head_room >= net::vlan_tag_size);

//   | head: private memory, at least min(size, net::head_size) bytes | rest: pages that `domain`
//   granted |
//
// All decisions are made on the head, which no guest can change any more. A frame without rest is
// local. On the way through a switch the head_room bytes before the head are free, for a tag; and
// where one was taken out the head is shorter by that.
struct Frame {
  std::span<std::byte> head;
  std::span<const ring::Piece> rest;
  hypervisor::DomainId domain = 0;
  std::uint32_t size = 0;
  net::Offload offload;
  bool failed = false;  // a grant of the sender was bad: the frame is lost and the sender is told
};

// Walks a frame's bytes from front to back, in chunks that lie in one place.
class FrameReader {
 public:
  struct Chunk {
    std::byte* local;  // nullptr: in the sender's page
    std::uint32_t gref;
    std::uint16_t offset;
    std::uint16_t size;
  };

  explicit FrameReader(const Frame& frame) : head_(frame.head), rest_(frame.rest) {}

  // The next 1 to `limit` bytes; only while bytes are left and limit > 0.
  Chunk next(std::size_t limit) {
    if (!head_.empty()) {
      const auto size =
          static_cast<std::uint16_t>(std::min({limit, head_.size(), std::size_t{0xffff}}));
      const Chunk chunk{head_.data(), 0, 0, size};
      head_ = head_.subspan(size);
      return chunk;
    }
    const ring::Piece& piece = rest_.front();
    const auto size = static_cast<std::uint16_t>(std::min<std::size_t>(limit, piece.size - taken_));
    const Chunk chunk{nullptr, piece.gref, static_cast<std::uint16_t>(piece.offset + taken_), size};
    taken_ = static_cast<std::uint16_t>(taken_ + size);
    if (taken_ == piece.size) {
      rest_ = rest_.subspan(1);
      taken_ = 0;
    }
    return chunk;
  }

 private:
  std::span<std::byte> head_;
  std::span<const ring::Piece> rest_;
  std::uint16_t taken_ = 0;
};

}  // namespace ringback::backend
