// Frames through one queue of a tap, a burst at a time. No frame is kept between two calls.
#pragma once

#include <array>
#include <span>

#include "backend/copier.hpp"
#include "backend/counters.hpp"
#include "backend/frame.hpp"
#include "backend/task.hpp"

namespace ringback::backend {

// What was read from a queue; the bytes are in the copier's scratch memory until its next use.
struct TapBurst {
  std::array<Frame, burst_size> frames;
  std::array<Frame*, burst_size> list;  // of the first `count`
  std::size_t count = 0;
  Read next = Read::now;
};

class TapFrames {
 public:
  // queue: the tap queue's descriptor, which outlives this.
  explicit TapFrames(int queue) : queue_(queue) {}

  // Writes the frames to the queue (one thread at a time), or drops them with a reason, those that
  // failed already too. A sender's bad grant marks its frame.
  void write(std::span<Frame* const> frames, Copier& copier, Counters& counters) const;
  // By one thread, which may be another than the writer.
  void read(Copier& copier, TapBurst& burst);

 private:
  int queue_;
  std::size_t to_try_ = 1;       // so many reads, as frames have come lately
  std::size_t last_size_ = 256;  // of the last frame, with its vnet header
};

}  // namespace ringback::backend
