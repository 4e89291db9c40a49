// A socket at a path, and the connections made there: each has a session that answers its requests.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hypervisor/acceptor.hpp"
#include "hypervisor/descriptor.hpp"
#include "hypervisor/embedded/message_socket.hpp"
#include "hypervisor/event_loop.hpp"
#include "hypervisor/result.hpp"

namespace ringback::hypervisor::embedded {

using Incoming = Message<Request>;

// A reply on its way out.
struct Outgoing {
  Reply reply{};
  std::vector<std::uint32_t> words{};
  std::vector<int> descriptors{};
  Descriptor passed_on{};  // one of the above that the server does not keep
};

// One connection's side of the server. Its end releases what the connection held.
class Session {
 public:
  virtual ~Session() = default;
  // False: the connection is to end.
  virtual bool answer(const Incoming& in, Outgoing& out) = 0;
};

class Listener {
 public:
  using MakeSession = std::function<std::unique_ptr<Session>()>;

  static Result<std::unique_ptr<Listener>> open(EventLoop& loop, Acceptor& acceptor,
                                                const std::string& path, MakeSession make_session);
  // Ends its connections. Not to be called from one of them.
  ~Listener();

 private:
  struct Connection {
    Descriptor socket;  // closed last: who sees it closed finds everything released
    std::unique_ptr<Session> session;
  };

  Listener(EventLoop& loop, Acceptor& acceptor, Descriptor socket, MakeSession make_session)
      : loop_(loop),
        acceptor_(acceptor),
        socket_(std::move(socket)),
        make_session_(std::move(make_session)) {}
  void accept();
  bool serve(int socket);
  void end(int socket);

  EventLoop& loop_;
  Acceptor& acceptor_;
  const Descriptor socket_;
  const MakeSession make_session_;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace ringback::hypervisor::embedded
