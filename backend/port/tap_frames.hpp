// Frames through one queue of a tap. Nothing is kept between two calls.
#pragma once

#include <array>
#include <span>

#include "backend/copier.hpp"
#include "backend/counters.hpp"
#include "backend/frame.hpp"

namespace ringback::backend {

// Writes the frames to the queue (any thread), or drops them with a reason, those that failed
// already too. A sender's bad grant marks its frame.
void write_frames(int queue, std::span<Frame* const> frames, Copier& copier, Counters& counters);

// What was read from a queue; the bytes are in the copier's scratch memory until its next use.
struct TapBurst {
  std::array<Frame, burst_size> frames;
  std::array<Frame*, burst_size> list;  // of the first `count`
  std::size_t count = 0;
  bool more = true;  // false: the queue was empty, or its device has gone
};
void read_frames(int queue, Copier& copier, TapBurst& burst);

}  // namespace ringback::backend
