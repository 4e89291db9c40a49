// What one thread asks of the kernel beside Xen: which descriptors have something to read, and
// bursts of frames through taps. By io_uring a burst is one system call, and so is a wait together
// with what was found meanwhile; where there is none (an old kernel, a policy) by epoll, readv and
// writev.
#pragma once

#include <sys/uio.h>

#include <array>
#include <functional>
#include <memory>
#include <span>

#include "hypervisor/result.hpp"

namespace ringback::hypervisor {

// A frame in up to three parts, and what became of it: its bytes that moved, or -errno.
struct Transfer {
  static constexpr int part_count = 3;
  std::array<iovec, part_count> parts{};
  int result = 0;
};

class Io {
 public:
  enum class Kind { best, uring, epoll };
  // always: told by every wait() while there is something to read. once: told once, and again after
  // again().
  enum class Trigger { always, once };

  // Any thread may open it and begin to watch; all the rest is for one thread. best: io_uring, or
  // epoll where that is not to be had.
  static Result<std::unique_ptr<Io>> open(Kind kind = Kind::best);
  virtual ~Io() = default;

  // readable: called by wait(), on its thread; may watch and unwatch others. At most once per fd.
  virtual Result<void> watch(int fd, Trigger trigger, std::function<void()> readable) = 0;
  // For `once`, after it was told.
  virtual void again(int fd) = 0;
  // To be called before fd is closed.
  virtual void unwatch(int fd) = 0;
  // Tells whoever has something to read. block: waits until somebody has.
  virtual Result<void> wait(bool block) = 0;

  // As readv and writev on a non-blocking descriptor would do, one transfer after the other. A read
  // that found nothing (-EAGAIN) may be followed by one that did.
  virtual void read(int fd, std::span<Transfer> transfers) = 0;
  virtual void write(int fd, std::span<Transfer> transfers) = 0;

  // "io_uring" or "epoll"
  virtual const char* name() const = 0;

 protected:
  static void read_in_turn(int fd, std::span<Transfer> transfers);
  static void write_in_turn(int fd, std::span<Transfer> transfers);
};

Result<std::unique_ptr<Io>> open_uring_io();
Result<std::unique_ptr<Io>> open_epoll_io();

}  // namespace ringback::hypervisor
