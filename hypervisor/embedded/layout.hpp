// The memory of one domain, as its memfd holds it. The server makes it; the domain's own processes
// and those that deal with the domain map it.
//
//   | header  | pending bits | mask bits | port tags | grant table | memory pages          |
//   | 1 page  | 16 KiB       | 16 KiB    | 1 MiB     | 8 B a ref   | 4 KiB each, one a ref |
//   |<-- what an event channel handle maps ------->|
//
// Everything but the pages is reached by atomics: other processes use it at the same time.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "hypervisor/types.hpp"

namespace ringback::hypervisor::embedded {

inline constexpr std::uint64_t layout_magic = 0x6b636162676e6972;  // "ringback"
inline constexpr std::uint32_t layout_version = 1;
inline constexpr Port port_count = 131072;  // as many as Xen's FIFO event channels
inline constexpr GrantRef first_ref = 8;    // Xen keeps the first eight for its toolstack

// grant_entry_v1 of xen/grant_table.h, in one word so that it is read whole.
struct GrantEntry {
  std::uint16_t flags = 0;
  DomainId domain = 0;
  std::uint32_t frame = 0;
};
static_assert(sizeof(GrantEntry) == 8);

// Each ref has a page of its own for as long as both live.
constexpr std::uint32_t page_of(GrantRef ref) {
  return ref - first_ref;
}
constexpr GrantRef ref_of(std::uint32_t page) {
  return page + first_ref;
}

enum class PortState : std::uint8_t { free, unbound, interdomain, virq };

// A port's tag changes whenever anything about its binding does, so that what was cached under it
// is valid as long as the tag is the same.
using PortTag = std::uint64_t;
constexpr PortTag make_tag(std::uint64_t generation, PortState state) {
  return generation << 8 | static_cast<std::uint8_t>(state);
}
constexpr PortState state_of(PortTag tag) {
  return static_cast<PortState>(tag & 0xff);
}

class DomainMemory {
 public:
  static constexpr std::size_t bits_size = port_count / 8;
  static constexpr std::size_t pending_at = page_size;
  static constexpr std::size_t mask_at = pending_at + bits_size;
  static constexpr std::size_t tags_at = mask_at + bits_size;
  static constexpr std::size_t events_size = tags_at + port_count * sizeof(PortTag);
  static constexpr std::size_t grants_at = events_size;

  // Where a page lies in a domain that has `pages` of them.
  static constexpr std::size_t page_at(std::uint32_t pages, std::uint32_t page) {
    const std::size_t table = std::size_t{ref_of(pages)} * sizeof(GrantEntry);
    return grants_at + (table + page_size - 1) / page_size * page_size + page * page_size;
  }
  static constexpr std::size_t size(std::uint32_t pages) { return page_at(pages, pages); }

  DomainMemory() = default;
  // base: size(pages) bytes, page-aligned; only the first events_size of them if pages is 0.
  DomainMemory(std::byte* base, std::uint32_t pages)
      : base_(base), first_page_(base + page_at(pages, 0)), pages_(pages) {}

  void initialise(DomainId domain) {
    *header() = {layout_magic, layout_version, 1, domain, pages_};
  }
  bool well_formed() const {
    return header()->magic == layout_magic && header()->version == layout_version;
  }
  bool alive() const { return std::atomic_ref(header()->alive).load(std::memory_order_acquire); }
  void die() { std::atomic_ref(header()->alive).store(0); }

  std::uint32_t pages() const { return pages_; }
  GrantRef refs() const { return ref_of(pages_); }

  std::atomic_ref<std::uint64_t> pending(std::size_t word) const { return at(pending_at, word); }
  std::atomic_ref<std::uint64_t> mask(std::size_t word) const { return at(mask_at, word); }
  std::atomic_ref<std::uint64_t> tag(Port port) const { return at(tags_at, port); }

  GrantEntry grant(GrantRef ref) const {
    return std::bit_cast<GrantEntry>(at(grants_at, ref).load(std::memory_order_acquire));
  }
  void set_grant(GrantRef ref, GrantEntry entry) {
    at(grants_at, ref).store(std::bit_cast<std::uint64_t>(entry), std::memory_order_seq_cst);
  }
  std::byte* page(std::uint32_t page) const { return first_page_ + page * page_size; }

 private:
  struct Header {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t alive;
    std::uint32_t domain;
    std::uint32_t pages;
  };
  Header* header() const { return reinterpret_cast<Header*>(base_); }
  std::atomic_ref<std::uint64_t> at(std::size_t offset, std::size_t index) const {
    // Page-aligned base and offset, so aligned; every caller's index is below the table's size.
    return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(base_ + offset + index * 8));
  }

  std::byte* base_ = nullptr;
  std::byte* first_page_ = nullptr;
  std::uint32_t pages_ = 0;
};

constexpr std::size_t word_of(Port port) {
  return port / 64;
}
constexpr std::uint64_t bit_of(Port port) {
  return std::uint64_t{1} << port % 64;
}

}  // namespace ringback::hypervisor::embedded
