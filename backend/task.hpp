// What a worker serves: a queue of a vif, or a switch's uplink.
#pragma once

#include <optional>

#include "backend/copier.hpp"

namespace ringback::backend {

// When a descriptor is to be read next. never: what it led to has gone.
enum class Read { now, when_readable, never };

// What keeps a task from being served as it should be.
struct Fault {
  // guest: it broke the protocol, and is served no more. device: somebody deleted it.
  enum class Of { guest, device };
  Of of;
  const char* what;
};

class Task {
 public:
  virtual ~Task() = default;
  // All on its worker's thread. One burst in each direction that has something; false: there
  // was nothing. Events stay off from the first one on, so it is to be called again and again until
  // arm().
  virtual bool serve(Copier& copier) = 0;
  // Turns events on and looks once more. True: something has come, go on serving; false: it will be
  // woken.
  virtual bool arm() = 0;
  // Its descriptor has something to read. Told once, until it waits for that again.
  virtual void readable() = 0;
  virtual bool waits_to_read() const = 0;
  // -1: it has none.
  virtual int fd() const = 0;
  virtual std::optional<Fault> fault() const = 0;
};

}  // namespace ringback::backend
