#include "hypervisor/embedded/client.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ringback::hypervisor::embedded {

namespace {

int complain(const char* path, int error) {
  std::fprintf(stderr,
               "ringback: no hypervisor at %s: %s. Start `ringback-hypervisor serve`, and run this "
               "program under `ringback-hypervisor exec DOMID -- PROGRAM`.\n",
               path, std::strerror(error));
  return error;
}

}  // namespace

Client::Client(Descriptor socket) : socket_(std::move(socket)), owner_(::getpid()) {}

Client::~Client() {
  if (socket_ && !in_child()) call({.call = Call::close});
}

bool Client::in_child() const {
  return ::getpid() != owner_;
}

Answer<Client::Opened> Client::open(Call how, bool close_on_exec) {
  const char* const path = std::getenv("RINGBACK_HYPERVISOR");
  if (path == nullptr)
    return tl::unexpected(complain("$RINGBACK_HYPERVISOR (which is not set)", ENOENT));
  auto socket = connect_to(path);
  if (!socket) return tl::unexpected(complain(path, socket.error()));
  if (!close_on_exec) ::fcntl(socket->get(), F_SETFD, 0);
  Client client(std::move(*socket));
  auto reply = client.call({.call = how});
  if (!reply) return tl::unexpected(complain(path, reply.error()));
  return Opened{std::move(client), std::move(*reply)};
}

Answer<Message<Reply>> Client::call(const Request& request, std::span<const std::uint32_t> words) {
  if (const auto sent = send(fd(), request, words, {}); !sent) return tl::unexpected(sent.error());
  auto reply = receive<Reply>(fd());
  if (reply && reply->header.error != 0)
    return tl::unexpected(static_cast<int>(reply->header.error));
  return reply;
}

}  // namespace ringback::hypervisor::embedded
