// Zeroed memory straight from the kernel, at a page's start. It is taken as far as it is used, and
// nobody else in this process gets it before it has been given back.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace ringback::hypervisor {

class MappedMemory {
 public:
  explicit MappedMemory(std::size_t size) : bytes_(map(size), Unmap{size}) {}
  std::span<std::byte> span() const { return {bytes_.get(), bytes_.get_deleter().size}; }

 private:
  struct Unmap {
    std::size_t size;
    void operator()(std::byte* bytes) const { ::munmap(bytes, size); }
  };
  static std::byte* map(std::size_t size) {
    void* const memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(memory);
  }
  std::unique_ptr<std::byte[], Unmap> bytes_;
};

}  // namespace ringback::hypervisor
