// A UDP datagram of every length from 0 to 65,507 bytes, there and back.
//
//   udp_sweep answer ADDRESS PORT              until it is ended
//   udp_sweep sweep ADDRESS PORT [EVERY STEP]  to who answers there; past the length EVERY (65,507)
//   only each STEPth
//
// The length names a datagram: what it has to contain follows from it, and is different there and
// back. What arrives wrong ends the program. What does not arrive is sent again, and counted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_length = 65'507;
constexpr std::size_t window = 128 << 10;  // bytes under way: less than any queue in between holds
constexpr auto patience = std::chrono::seconds(1);  // some are late, and not lost
enum Direction : std::size_t { there = 1, back = 2 };

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

const char* contents(std::size_t length, Direction direction) {
  static const std::vector<char> noise = [] {
    std::vector<char> bytes(131'072);
    std::mt19937 generator(1);
    for (char& byte : bytes) byte = static_cast<char>(generator());
    return bytes;
  }();
  return &noise[(length * 7919 + direction * 31) % 65'536];
}

sockaddr_in address_of(char** argument) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argument[1])));
  if (inet_pton(AF_INET, argument[0], &address.sin_addr) != 1) fail(argument[0]);
  return address;
}

// Nothing after 50 ms.
bool receive(int socket, Direction direction, std::size_t& length, sockaddr_in& from) {
  static char buffer[max_length + 1];
  socklen_t size = sizeof from;
  const auto got =
      recvfrom(socket, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED) return false;
    fail("recvfrom");
  }
  length = static_cast<std::size_t>(got);
  if (std::memcmp(buffer, contents(length, direction), length) != 0) {
    std::fprintf(stderr, "a datagram of %zu bytes arrived with other contents\n", length);
    std::exit(1);
  }
  return true;
}

void send(int socket, Direction direction, std::size_t length, const sockaddr_in& to) {
  if (sendto(socket, contents(length, direction), length, 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to) < 0 &&
      errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
    fail("sendto");
}

void answer(int socket) {
  for (;;) {
    std::size_t length;
    sockaddr_in from;
    if (receive(socket, there, length, from)) send(socket, back, length, from);
  }
}

void sweep(int socket, const sockaddr_in& peer, std::size_t every, std::size_t step) {
  const auto after = [&](std::size_t length) { return length + (length < every ? 1 : step); };
  std::size_t count = 0;
  for (std::size_t length = 0; length <= max_length; length = after(length)) ++count;
  // Loss is not what these tests allow for; a host that is out of breath may cause a little.
  const std::size_t max_again = count / 100;
  std::map<std::size_t, Clock::time_point> open;  // when each was sent
  std::size_t next = 0, bytes = 0, again = 0;
  while (next <= max_length || !open.empty()) {
    while (next <= max_length && (open.empty() || (bytes + next <= window && open.size() < 64))) {
      send(socket, there, next, peer);
      open[next] = Clock::now();
      bytes += next;
      next = after(next);
    }
    std::size_t length;
    sockaddr_in from;
    if (receive(socket, back, length, from)) {
      if (open.erase(length) > 0) bytes -= length;
      continue;
    }
    for (auto& [lost, sent] : open) {
      if (Clock::now() - sent < patience) continue;
      if (++again > max_again) {
        std::fprintf(stderr, "too many datagrams do not arrive, the last of %zu bytes\n", lost);
        std::exit(1);
      }
      send(socket, there, lost, peer);
      sent = Clock::now();
    }
  }
  std::printf("%zu lengths there and back, %zu sent again\n", count, again);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) return 2;
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  const int space = 4 << 20;
  const timeval wait{.tv_sec = 0, .tv_usec = 50'000};
  if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof space) != 0 ||
      setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof space) != 0 ||
      setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0)
    fail("setsockopt");
  const sockaddr_in address = address_of(argv + 2);
  if (argv[1] == std::string_view("answer")) {
    if (bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail("bind");
    answer(socket);
  } else {
    sweep(socket, address, argc == 6 ? std::strtoul(argv[4], nullptr, 10) : max_length,
          argc == 6 ? std::strtoul(argv[5], nullptr, 10) : 1);
  }
}
