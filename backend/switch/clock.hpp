// The switch's time: as of the kernel's last tick, which is had without a system call.
#pragma once

#include <time.h>

#include <cstdint>

namespace ringback::backend {

struct Moment {
  std::uint64_t nanoseconds;
  std::uint32_t seconds() const { return static_cast<std::uint32_t>(nanoseconds / 1'000'000'000); }
};

using Clock = Moment (*)();

inline Moment coarse_clock() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return {static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
          static_cast<std::uint64_t>(now.tv_nsec)};
}

}  // namespace ringback::backend
