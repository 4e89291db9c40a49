// What a worker serves: a queue of a vif, or a switch's uplink.
#pragma once

#include "backend/copier.hpp"

namespace ringback::backend {

class Task {
 public:
  virtual ~Task() = default;
  // One burst in each direction that has something. True: come back, there is more. False: it will
  // be woken. On its worker's thread.
  virtual bool serve(Copier& copier) = 0;
  // Its descriptor has something to read; -1: it has none.
  virtual void readable() = 0;
  virtual int fd() const = 0;
  // Why it is served no more; nullptr while it is.
  virtual const char* broken() const { return nullptr; }
};

}  // namespace ringback::backend
