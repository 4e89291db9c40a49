// The memory that a frontend and a backend share, and the only place that touches it.
//
//   byte 0          4           8          12          16        64
//        | req_prod | req_event | rsp_prod | rsp_event | private | slot 0 | ... | slot size-1 |
//
// A slot holds a request on its way to the backend or a response on its way back. Indices run
// freely and wrap at 2^32; a slot's place is its index modulo the ring's size, a power of two.
// (xen/io/ring.h)
//
// Used by FrontRing and BackRing only. The peer may write any byte at any moment, so indices are
// read once and slots are copied once, as relaxed 32-bit atomics, before anything looks at them
// (XSA-155).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace ringback::ring {

inline constexpr std::size_t page_size = 4096;

// Free-running ring index; compare only by unsigned difference.
using Index = std::uint32_t;

template <class Request, class Response>
class SharedRing {
  static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Response>);
  static_assert(sizeof(Request) % 4 == 0 && sizeof(Response) % 4 == 0);

 public:
  static constexpr std::size_t header_size = 64;
  // As the union in ring.h has it, so that alignment counts too.
  union Slot {
    Request request;
    Response response;
  };
  static constexpr std::size_t slot_size = sizeof(Slot);

  // The slots that fit in so many bytes of shared pages, rounded down to a power of two.
  static constexpr Index slots_in(std::size_t bytes) {
    return bytes < header_size + slot_size
               ? 0
               : std::bit_floor(static_cast<Index>((bytes - header_size) / slot_size));
  }

  // pages: one or more whole pages, mapped next to each other; outlives this view.
  explicit SharedRing(std::span<std::byte> pages)
      : base_(pages.data()), size_(slots_in(pages.size())) {}

  Index size() const { return size_; }

  // Acquire and release: what the peer wrote before it published an index is seen after reading it.
  Index req_prod() const { return word(0).load(std::memory_order_acquire); }
  Index rsp_prod() const { return word(8).load(std::memory_order_acquire); }

  // Publishes producer index and reads the peer's event index behind a full barrier: without it a
  // wake-up is lost (tests/models/ring.pml, NO_MB_PUSH). The exchange is that barrier, in a way
  // ThreadSanitizer follows.
  Index publish_req_prod(Index value) { return publish(0, value, 4); }
  Index publish_rsp_prod(Index value) { return publish(8, value, 12); }

  // Arms an event index and reads the peer's producer index behind a full barrier (NO_MB_FINAL).
  Index arm_req_event(Index value) { return publish(4, value, 0); }
  Index arm_rsp_event(Index value) { return publish(12, value, 8); }

  // The frontend's first act on fresh pages, before the backend knows them.
  void initialise() {
    std::memset(base_, 0, header_size);
    word(4).store(1, std::memory_order_relaxed);
    word(12).store(1, std::memory_order_release);
  }

  // Word by word to where it is to be: a copy that is gathered elsewhere first has to wait for its
  // own stores.
  template <class Message>
  void copy_from(Index index, Message& to) const {
    std::byte* const slot = slot_at(index);
#pragma GCC unroll 4
    for (std::size_t at = 0; at < sizeof(Message); at += 4) {
      const std::uint32_t bits = word_at(slot + at).load(std::memory_order_relaxed);
      std::memcpy(reinterpret_cast<std::byte*>(&to) + at, &bits, sizeof bits);
    }
  }
  template <class Message>
  Message copy_from(Index index) const {
    Message message;
    copy_from(index, message);
    return message;
  }

  // Writes the whole slot: what the value doesn't cover is zeroed, so that no old byte leaks
  // (XSA-216).
  template <class Message>
  void copy_to(Index index, const Message& value) {
    std::byte* const slot = slot_at(index);
#pragma GCC unroll 4
    for (std::size_t at = 0; at < slot_size; at += 4) {
      std::uint32_t bits = 0;
      if (at < sizeof value)
        std::memcpy(&bits, reinterpret_cast<const std::byte*>(&value) + at, sizeof bits);
      word_at(slot + at).store(bits, std::memory_order_relaxed);
    }
  }

 private:
  // Pages are page-aligned, and every place is a multiple of 4 from their start and within them.
  static std::atomic_ref<std::uint32_t> word_at(std::byte* place) {
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(place));
  }
  std::atomic_ref<std::uint32_t> word(std::size_t offset) const {
    return word_at(base_ + offset);
  }
  std::byte* slot_at(Index index) const {
    return base_ + header_size + (index & (size_ - 1)) * slot_size;
  }
  Index publish(std::size_t mine, Index value, std::size_t theirs) {
    word(mine).exchange(value, std::memory_order_seq_cst);
    return word(theirs).load(std::memory_order_seq_cst);
  }

  std::byte* base_;
  Index size_;
};

// Whether publishing the indices (from, to] crosses the event index that the peer set
// (xen/io/ring.h).
constexpr bool wants_event(Index from, Index to, Index event) {
  return to - event < to - from;
}

}  // namespace ringback::ring
