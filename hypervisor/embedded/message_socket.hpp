// One message of protocol.hpp over a socket, with the descriptors that it carries. For both ends;
// errors are errno values.
#pragma once

#include <cerrno>
#include <span>
#include <string>
#include <vector>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/embedded/answer.hpp"
#include "hypervisor/embedded/protocol.hpp"

namespace ringback::hypervisor::embedded {

template <class Header>
struct Message {
  Header header{};
  std::vector<std::uint32_t> words{};
  std::vector<Descriptor> descriptors{};
};

// flags: MSG_DONTWAIT or 0. Nothing is sent in part. ECONNRESET: the other end has gone; EPROTO:
// this is no message. Where this process can have no more descriptors, one that was received has
// fewer than were sent.
Answer<void> send_message(int socket, std::span<const std::byte> header,
                          std::span<const std::uint32_t> words, std::span<const int> descriptors,
                          int flags);
Answer<void> receive_message(int socket, std::span<std::byte> header,
                             std::vector<std::uint32_t>& words,
                             std::vector<Descriptor>& descriptors, int flags);

template <class Header>
auto send(int socket, Header header, std::span<const std::uint32_t> words,
          std::span<const int> descriptors, int flags = 0) {
  header.count = static_cast<std::uint32_t>(words.size());
  return send_message(socket, std::as_bytes(std::span(&header, 1)), words, descriptors, flags);
}

template <class Header>
Answer<Message<Header>> receive(int socket, int flags = 0) {
  Message<Header> message;
  const auto done = receive_message(socket, std::as_writable_bytes(std::span(&message.header, 1)),
                                    message.words, message.descriptors, flags);
  if (!done) return tl::unexpected(done.error());
  if (message.header.count != message.words.size()) return tl::unexpected(EPROTO);
  return message;
}

// ENAMETOOLONG if a socket's address can't hold the path.
Answer<Descriptor> connect_to(const std::string& path);
// Non-blocking.
Answer<Descriptor> listen_at(const std::string& path);

}  // namespace ringback::hypervisor::embedded
