// Memory that several processes map: a sealed memfd, and a mapping of one.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/embedded/answer.hpp"

namespace ringback::hypervisor::embedded {

// Zeroed, sparse, and sealed: nobody can shrink it under the others (SIGBUS).
inline Answer<Descriptor> make_shared_memory(const char* name, std::size_t size) {
  Descriptor fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return tl::unexpected(errno);
  return fd;
}

class SharedMemory {
 public:
  static Answer<SharedMemory> map(int fd, std::size_t size) {
    void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return tl::unexpected(errno);
    return SharedMemory(static_cast<std::byte*>(base), size);
  }
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept { swap(other); }
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    SharedMemory(std::move(other)).swap(*this);
    return *this;
  }
  ~SharedMemory() {
    if (base_ != nullptr) ::munmap(base_, size_);
  }

  std::byte* base() const { return base_; }

 private:
  SharedMemory(std::byte* base, std::size_t size) : base_(base), size_(size) {}
  void swap(SharedMemory& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
  }
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace ringback::hypervisor::embedded
