// Memory that starts at a page: a grant copy that crosses a page here costs two.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "hypervisor/types.hpp"

namespace ringback::hypervisor {

// So many bytes, rounded up to whole pages.
constexpr std::size_t whole_pages(std::size_t size) {
  return (size + page_size - 1) / page_size * page_size;
}

class PageMemory {
 public:
  explicit PageMemory(std::size_t size)
      : bytes_(static_cast<std::byte*>(::operator new[](size, alignment))), size_(size) {}
  std::span<std::byte> span() const { return {bytes_.get(), size_}; }

 private:
  static constexpr std::align_val_t alignment{page_size};
  struct Free {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, alignment); }
  };
  std::unique_ptr<std::byte[], Free> bytes_;
  std::size_t size_;
};

}  // namespace ringback::hypervisor
