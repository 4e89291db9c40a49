// What a queue has done, for anyone to read while it runs. Written by the queue's thread only.
//
// Every frame is in one of them: tx: read from the tap = frames (a super-frame that was segmented
// counts once) + drops; rx: taken off the ring = frames + drops.
#pragma once

#include <atomic>
#include <cstdint>

namespace ringback::frontend {

class Counter {
 public:
  // One writer, so a plain load and store will do.
  void operator+=(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  operator std::uint64_t() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  struct Tx {
    Counter frames, bytes;
    Counter segmented;       // super-frames cut up here
    Counter refused;         // slots that the backend answered with an error
    Counter drop_malformed;  // the tap's frame is too short, or is not what its vnet_hdr says
    Counter drop_too_long;   // does not fit one slot, and the backend takes no more
  } tx;
  struct Rx {
    Counter frames, bytes;
    Counter wrong_checksums;  // delivered all the same: only counted when asked to verify
    Counter drop_error;       // the backend reported an error
    Counter drop_malformed;   // the frame is not what its flags say
    Counter drop_tap;         // the tap did not take it
  } rx;
};

}  // namespace ringback::frontend
