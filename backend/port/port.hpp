// What a vif's frames leave by and come from: the other side of its queues.
#pragma once

#include <cstddef>
#include <span>

#include "backend/copier.hpp"
#include "backend/counters.hpp"
#include "backend/frame.hpp"
#include "backend/rx_sink.hpp"
#include "backend/task.hpp"

namespace ringback::backend {

class Port {
 public:
  virtual ~Port() = default;

  // Takes a burst that the guest sent on one of its queues. Returns when every frame has gone its
  // way or is dropped and counted; marks frames that their sender's grants spoiled. On the queue's
  // worker.
  virtual void send(std::span<Frame> burst, std::size_t queue, Copier& copier,
                    Counters& counters) = 0;

  // Whether every byte has to be here to be sent.
  virtual bool wants_whole_frames() const { return false; }

  // For a port that is read: a descriptor per queue. -1: frames come
  // by themselves.
  virtual int fd(std::size_t /*queue*/) const { return -1; }
  // Moves a burst from the descriptor to the guest.
  virtual Read receive(std::size_t /*queue*/, RxSink& /*guest*/, Copier& /*copier*/) {
    return Read::never;
  }
};

}  // namespace ringback::backend
