// The drop-in libraries' end of a connection to the server: one per handle, as a device node would
// be opened.
#pragma once

#include <sys/types.h>

#include <memory>

#include "hypervisor/embedded/message_socket.hpp"

namespace ringback::hypervisor::embedded {

class Client {
 public:
  struct Opened;
  // Connects to the hypervisor that RINGBACK_HYPERVISOR names; `how` is one of the open calls. If
  // there is none, it says what to do on stderr.
  static Answer<Opened> open(Call how, bool close_on_exec);
  // Everything that the handle holds is released when this returns; but not by a child after a
  // fork, that only drops its copies of the descriptors.
  ~Client();
  Client(Client&&) = default;

  // One request and its reply; the server's error is this call's.
  Answer<Message<Reply>> call(const Request& request, std::span<const std::uint32_t> words = {});
  int fd() const { return socket_.get(); }
  bool in_child() const;

 private:
  explicit Client(Descriptor socket);
  Descriptor socket_;
  pid_t owner_;
};

struct Client::Opened {
  Client client;
  Message<Reply> reply;
};

}  // namespace ringback::hypervisor::embedded
