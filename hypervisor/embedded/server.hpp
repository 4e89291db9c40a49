// The embedded hypervisor's server: the machine (machine.hpp) behind sockets (protocol.hpp), on an
// event loop's thread, until it is destroyed. Whatever a client sends, at worst its own connection
// ends.
#pragma once

#include <memory>

#include "hypervisor/embedded/server_options.hpp"
#include "hypervisor/event_loop.hpp"
#include "hypervisor/result.hpp"

namespace ringback::hypervisor::embedded {

class Server {
 public:
  // Takes the directory over: EBUSY if another server has it. What a dead one left there is
  // removed.
  static Result<std::unique_ptr<Server>> open(EventLoop& loop, ServerOptions options);
  virtual ~Server() = default;
};

}  // namespace ringback::hypervisor::embedded
