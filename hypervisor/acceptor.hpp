// Accepts connections, and refuses one when descriptors have run out: a connection that nobody
// takes would wake its listener for ever.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "hypervisor/descriptor.hpp"

namespace ringback::hypervisor {

class Acceptor {
 public:
  // The next connection of a listener that is readable; empty if there is none or it was refused.
  // flags: accept4()'s.
  Descriptor accept(int listener, int flags) {
    Descriptor socket(::accept4(listener, nullptr, nullptr, flags));
    if (socket || (errno != EMFILE && errno != ENFILE)) return socket;
    spare_ = Descriptor();
    Descriptor refused(::accept4(listener, nullptr, nullptr, flags));
    refused = Descriptor();  // closed before the spare is made
    spare_ = open_spare();
    return {};
  }

 private:
  static Descriptor open_spare() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
  Descriptor spare_ = open_spare();  // given up for a moment to refuse a connection
};

}  // namespace ringback::hypervisor
