// The seam, second half: grants, on libxengnttab. GrantUser maps and copies what other domains
// granted; GrantSharer grants pages of this domain to others. One object per thread.
#pragma once

#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "hypervisor/result.hpp"
#include "hypervisor/types.hpp"

extern "C" {
#include <xengnttab.h>
}

namespace ringback::hypervisor {

enum class Access { read_only, read_write };

// One copy of at most a page, within one page on each side that is a grant. Xen's own type, so that
// a batch goes to the hypervisor as it is: status 0 (GNTST_okay) or a negative GNTST_ code
// afterwards.
using Copy = xengnttab_grant_copy_segment_t;

// The ends of a Copy: memory of this process, or a page that a domain granted.
struct LocalEnd {
  void* memory;
};
struct GrantEnd {
  DomainId domain;
  GrantRef ref;
  std::uint16_t offset;
};
// Makes `copy` a new one, where it lies. From guest to guest, a foreign grant on both sides, this
// domain never holds the bytes.
template <class From, class To>
void set_copy(Copy& copy, const From& from, const To& to, std::uint16_t size) {
  constexpr bool from_grant = std::is_same_v<From, GrantEnd>;
  constexpr bool to_grant = std::is_same_v<To, GrantEnd>;
  static_assert(from_grant || to_grant);
  const auto set = [](auto& end, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const GrantEnd&>) {
      end.foreign.ref = value.ref;
      end.foreign.offset = value.offset;
      end.foreign.domid = value.domain;
    } else {
      end.virt = value.memory;
    }
  };
  set(copy.source, from);
  set(copy.dest, to);
  copy.len = size;
  copy.flags = (from_grant ? GNTCOPY_source_gref : 0) | (to_grant ? GNTCOPY_dest_gref : 0);
  copy.status = GNTST_okay;
}
template <class From, class To>
Copy make_copy(const From& from, const To& to, std::uint16_t size) {
  Copy copy{};
  set_copy(copy, from, to, size);
  return copy;
}

// Ends a mapping or a sharing: xengnttab_unmap or xengntshr_unshare, or a simulation's.
using Release = void (*)(void* handle, void* memory, std::uint32_t pages);

// Pages of another domain mapped next to each other; unmapped on destruction. Must not outlive its
// GrantUser.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* handle, void* memory, std::uint32_t pages, Release release)
      : handle_(handle), memory_(memory), pages_(pages), release_(release) {}
  Mapping(Mapping&& other) noexcept { swap(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    Mapping(std::move(other)).swap(*this);
    return *this;
  }
  ~Mapping() {
    if (memory_ != nullptr) release_(handle_, memory_, pages_);
  }

  std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(memory_), pages_ * page_size};
  }
  explicit operator bool() const { return memory_ != nullptr; }

 private:
  void swap(Mapping& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(memory_, other.memory_);
    std::swap(pages_, other.pages_);
    std::swap(release_, other.release_);
  }
  void* handle_ = nullptr;
  void* memory_ = nullptr;
  std::uint32_t pages_ = 0;
  Release release_ = nullptr;
};

class GrantUser {
 public:
  virtual ~GrantUser() = default;
  virtual Result<Mapping> map(DomainId domain, std::span<const GrantRef> refs, Access access) = 0;
  // Fills in every segment's status. An error only if the call itself failed; then no status is to
  // be believed and every segment counts as failed.
  virtual Result<void> copy(std::span<Copy> batch) = 0;
};

// Zeroed pages of this domain, granted to another; the grants end on destruction. Must not outlive
// its GrantSharer.
class SharedPages {
 public:
  SharedPages() = default;
  SharedPages(void* handle, void* memory, std::vector<GrantRef> refs, Release release)
      : pages_(handle, memory, static_cast<std::uint32_t>(refs.size()), release),
        refs_(std::move(refs)) {}

  std::span<std::byte> bytes() const { return pages_.bytes(); }
  std::span<std::byte> page(std::size_t i) const {
    return bytes().subspan(i * page_size, page_size);
  }
  const std::vector<GrantRef>& refs() const { return refs_; }  // one per page, in order

 private:
  Mapping pages_;
  std::vector<GrantRef> refs_;
};

class GrantSharer {
 public:
  virtual ~GrantSharer() = default;
  virtual Result<SharedPages> share(DomainId with, std::uint32_t pages, Access access) = 0;
};

Result<std::unique_ptr<GrantUser>> open_grant_user();
Result<std::unique_ptr<GrantSharer>> open_grant_sharer();

}  // namespace ringback::hypervisor
