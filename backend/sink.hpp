// Where frames go in the end: a guest's rx ring, or a tap of the host.
#pragma once

#include <span>

#include "backend/copier.hpp"
#include "backend/frame.hpp"

namespace ringback::backend {

class Sink {
 public:
  virtual ~Sink() = default;
  // Takes the frames or drops them with a reason; keeps none. A sender's bad grant marks its frame.
  // Any worker.
  virtual void deliver(std::span<Frame* const> frames, Copier& copier) = 0;
};

}  // namespace ringback::backend
