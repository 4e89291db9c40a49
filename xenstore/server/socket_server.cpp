#include "xenstore/server/socket_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>

#include "xenstore/server/domain_directory.hpp"

namespace ringback::xenstore::server {

using hypervisor::Descriptor;

StoreServer::StoreServer(hypervisor::EventLoop& loop, Quota quota) : loop_(loop), machine_(quota) {
  make_domain_directory(machine_.nodes(), 0);
}

StoreServer::~StoreServer() {
  while (!clients_.empty()) drop(clients_.begin()->first);
  while (!listeners_.empty()) close_listener(listeners_.begin()->first);
}

Result<void> StoreServer::listen(const std::string& socket_path, DomainId domain) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return failure(ENAMETOOLONG, "the store's socket " + socket_path + ": choose a path below " +
                                     std::to_string(sizeof address.sun_path) + " characters");
  socket_path.copy(address.sun_path, socket_path.size());

  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_failure("the store's socket " + socket_path);
  ::unlink(socket_path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0)
    return system_failure("the store's socket " + socket_path);

  const int fd = socket.get();
  if (auto added = loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_one(fd); }); !added)
    return added;
  listeners_.insert_or_assign(fd, Listener{std::move(socket), socket_path, domain});
  return {};
}

void StoreServer::introduce(DomainId domain) {
  if (machine_.exists(domain)) return;
  machine_.introduce(domain);
  make_domain_directory(machine_.nodes(), domain);
  settle();
}

void StoreServer::release(DomainId domain) {
  if (domain == 0) return;
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    const auto& [fd, listener] = *it++;
    if (listener.domain == domain) close_listener(fd);
  }
  machine_.release(domain);
  remove_domain_directory(machine_.nodes(), domain);
  settle();
}

void StoreServer::accept_one(int fd) {
  const DomainId domain = listeners_.at(fd).domain;
  Descriptor socket = acceptor_.accept(fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (!socket || !machine_.exists(domain)) return;
  const int client = socket.get();
  if (!loop_.add(client, EPOLLIN,
                 [this, client](std::uint32_t events) { read_from(client, events); }))
    return;
  clients_.insert_or_assign(client, Client{std::move(socket), machine_.connect(domain), EPOLLIN});
}

void StoreServer::read_from(int fd, std::uint32_t events) {
  Client& client = clients_.at(fd);
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    std::array<char, 16384> buffer;
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got > 0)
      machine_.receive(client.session, {buffer.data(), static_cast<std::size_t>(got)});
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
      drop(fd);
  }
  settle();
}

// Sends what there is to send until nobody can go on: answers taken by one client let its next
// requests be served, and those have events for others.
void StoreServer::settle() {
  for (bool busy = true; busy;) {
    busy = false;
    for (auto it = clients_.begin(); it != clients_.end();) {
      const int fd = it->first;
      Client& client = it->second;
      ++it;
      if (machine_.ended(client.session) || !flush(client))
        drop(fd);
      else
        busy |= machine_.serve(client.session);
    }
  }
  for (auto& [fd, client] : clients_) await(client);
}

// False: the connection is broken.
bool StoreServer::flush(Client& client) {
  Outbox& outbox = machine_.outbox(client.session);
  while (!outbox.front().empty()) {
    const std::string_view bytes = outbox.front();
    const ssize_t sent = ::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    outbox.sent(static_cast<std::size_t>(sent));
  }
  return true;
}

void StoreServer::await(Client& client) {
  const std::uint32_t input = machine_.wants_input(client.session) ? EPOLLIN : 0U;
  const std::uint32_t output = machine_.outbox(client.session).front().empty() ? 0U : EPOLLOUT;
  if (client.interest == (input | output)) return;
  client.interest = input | output;
  (void)loop_.modify(client.socket.get(), client.interest);
}

void StoreServer::drop(int fd) {
  const auto client = clients_.find(fd);
  loop_.remove(fd);
  machine_.disconnect(client->second.session);
  clients_.erase(client);
}

void StoreServer::close_listener(int fd) {
  const auto listener = listeners_.find(fd);
  loop_.remove(fd);
  ::unlink(listener->second.path.c_str());
  listeners_.erase(listener);
}

}  // namespace ringback::xenstore::server
