#include "hypervisor/embedded/message_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ringback::hypervisor::embedded {

namespace {

constexpr std::size_t max_descriptors = 2;

tl::unexpected<int> system_error() {
  return tl::unexpected(errno);
}

// Whoever dies at the other end is not our signal; a call that a signal interrupts starts again.
template <class SystemCall>
ssize_t uninterrupted(SystemCall call) {
  ssize_t result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

Answer<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return tl::unexpected(ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace

Answer<void> send_message(int socket, std::span<const std::byte> header,
                          std::span<const std::uint32_t> words, std::span<const int> descriptors,
                          int flags) {
  std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(header.data()), header.size()},
                             iovec{const_cast<std::uint32_t*>(words.data()), words.size_bytes()}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  const ssize_t sent =
      uninterrupted([&] { return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL); });
  if (sent < 0) return errno == EPIPE ? tl::unexpected(ECONNRESET) : system_error();
  return {};
}

Answer<void> receive_message(int socket, std::span<std::byte> header,
                             std::vector<std::uint32_t>& words,
                             std::vector<Descriptor>& descriptors, int flags) {
  words.resize(max_words);
  std::array<iovec, 2> parts{iovec{header.data(), header.size()},
                             iovec{words.data(), words.size() * sizeof words[0]}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size =
      uninterrupted([&] { return ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC); });
  if (size < 0) return system_error();

  // First of all take what was passed, so that it is closed whatever the rest is.
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  if (size == 0) return tl::unexpected(ECONNRESET);
  const auto length = static_cast<std::size_t>(size);
  // Of descriptors that there was room for some are missing where this process can have no more.
  const bool too_many =
      (message.msg_flags & MSG_CTRUNC) != 0 && descriptors.size() == max_descriptors;
  const bool truncated = too_many || (message.msg_flags & MSG_TRUNC) != 0;
  if (truncated || length < header.size() || (length - header.size()) % sizeof words[0] != 0)
    return tl::unexpected(EPROTO);
  words.resize((length - header.size()) / sizeof words[0]);
  return {};
}

Answer<Descriptor> connect_to(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  Descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return system_error();
  const auto connecting = uninterrupted([&] {
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  });
  if (connecting != 0) return system_error();
  return fd;
}

Answer<Descriptor> listen_at(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  Descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0)
    return system_error();
  return fd;
}

}  // namespace ringback::hypervisor::embedded
