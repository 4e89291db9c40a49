// An address range of this process that shows pages of domains, next to each other.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "hypervisor/embedded/answer.hpp"
#include "hypervisor/embedded/layout.hpp"

namespace ringback::hypervisor::embedded {

class PageWindow {
 public:
  // Nothing can be seen through it yet.
  static Answer<PageWindow> reserve(std::size_t pages) {
    void* base = ::mmap(nullptr, pages * page_size, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return tl::unexpected(errno);
    return PageWindow(static_cast<std::byte*>(base), pages);
  }
  PageWindow(PageWindow&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), pages_(other.pages_) {}
  PageWindow& operator=(PageWindow&&) = delete;
  ~PageWindow() {
    if (base_ != nullptr) ::munmap(base_, pages_ * page_size);
  }

  // Shows the pages behind `refs` from page `at` of the window on; memory: that of a domain with
  // `domain_pages`.
  Answer<void> show(std::size_t at, int memory, std::uint32_t domain_pages,
                    std::span<const GrantRef> refs, int protection) {
    for (std::size_t i = 0; i < refs.size();) {
      std::size_t run = 1;
      while (i + run < refs.size() && refs[i + run] == refs[i] + run) ++run;
      const auto offset = DomainMemory::page_at(domain_pages, page_of(refs[i]));
      if (::mmap(base_ + (at + i) * page_size, run * page_size, protection, MAP_SHARED | MAP_FIXED,
                 memory, static_cast<off_t>(offset)) == MAP_FAILED)
        return tl::unexpected(errno);
      i += run;
    }
    return {};
  }

  std::byte* base() const { return base_; }
  std::size_t pages() const { return pages_; }

 private:
  PageWindow(std::byte* base, std::size_t pages) : base_(base), pages_(pages) {}
  std::byte* base_;
  std::size_t pages_;
};

}  // namespace ringback::hypervisor::embedded
