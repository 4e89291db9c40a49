// Zeroed memory straight from the kernel, at a page's start. It is taken as far as it is used, and
// nobody else in this process gets it before it has been given back.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>

namespace ringback::hypervisor {

class MappedMemory {
 public:
  explicit MappedMemory(std::size_t size)
      : MappedMemory(map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1), size) {
    if (span().data() == nullptr) throw std::bad_alloc();
  }
  // The file's bytes instead, shared with whoever else maps it. Nothing: see errno.
  static std::optional<MappedMemory> of_file(int file, std::size_t size) {
    std::byte* const bytes = map(size, MAP_SHARED, file);
    if (bytes == nullptr) return std::nullopt;
    return MappedMemory(bytes, size);
  }
  std::span<std::byte> span() const { return {bytes_.get(), bytes_.get_deleter().size}; }

 private:
  MappedMemory(std::byte* bytes, std::size_t size) : bytes_(bytes, Unmap{size}) {}
  struct Unmap {
    std::size_t size;
    void operator()(std::byte* bytes) const { ::munmap(bytes, size); }
  };
  static std::byte* map(std::size_t size, int flags, int file) {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, file, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
  }
  std::unique_ptr<std::byte[], Unmap> bytes_;
};

}  // namespace ringback::hypervisor
