#include "hypervisor/embedded/listener.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

namespace ringback::hypervisor::embedded {

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop, Acceptor& acceptor,
                                                 const std::string& path,
                                                 MakeSession make_session) {
  auto socket = listen_at(path);
  if (!socket) return system_failure("cannot listen at " + path, socket.error());
  const int fd = socket->get();
  std::unique_ptr<Listener> listener(
      new Listener(loop, acceptor, std::move(*socket), std::move(make_session)));
  auto watched = loop.add(fd, EPOLLIN, [self = listener.get()](std::uint32_t) { self->accept(); });
  if (!watched) return tl::unexpected(watched.error());
  return listener;
}

Listener::~Listener() {
  while (!connections_.empty()) end(connections_.begin()->first);
  loop_.remove(socket_.get());
}

void Listener::accept() {
  Descriptor accepted = acceptor_.accept(socket_.get(), SOCK_CLOEXEC);
  if (!accepted) return;
  const int socket = accepted.get();
  const auto watched = loop_.add(socket, EPOLLIN, [this, socket](std::uint32_t) {
    if (!serve(socket)) end(socket);
  });
  if (watched) connections_[socket] = {std::move(accepted), make_session_()};
}

bool Listener::serve(int socket) {
  const auto in = receive<Request>(socket, MSG_DONTWAIT);
  if (!in) return in.error() == EAGAIN;
  if (in->header.version != layout_version || !in->descriptors.empty()) return false;
  Outgoing out;
  // A client that does not read its replies is not one.
  return connections_.at(socket).session->answer(*in, out) &&
         send(socket, out.reply, out.words, out.descriptors, MSG_DONTWAIT).has_value();
}

void Listener::end(int socket) {
  const auto ended = connections_.extract(socket);
  loop_.remove(socket);
}

}  // namespace ringback::hypervisor::embedded
