#include "hypervisor/acceptor.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <cstdio>
#include <vector>

using namespace ringback::hypervisor;

namespace {

// An abstract socket, as one has no file to remove.
class Listener {
 public:
  Listener() {
    std::snprintf(address_.sun_path + 1, sizeof address_.sun_path - 1, "ringback-acceptor-%d",
                  getpid());
    REQUIRE(bind(socket.get(), name(), sizeof address_) == 0);
    REQUIRE(listen(socket.get(), 8) == 0);
  }
  Descriptor connect() const {
    Descriptor client(::socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(::connect(client.get(), name(), sizeof address_) == 0);
    return client;
  }
  bool readable() const {
    pollfd poll{.fd = socket.get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, 0) == 1;
  }
  Descriptor socket{::socket(AF_UNIX, SOCK_STREAM, 0)};

 private:
  const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&address_); }
  sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = {}};
};

// Leaves this process without a free descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{.rlim_cur = 64, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    while (taken_.empty() || taken_.back())
      taken_.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<Descriptor> taken_;
};

}  // namespace

TEST_CASE("a connection for which there is no descriptor is refused and wakes nobody again") {
  const Listener listener;
  Acceptor acceptor;
  const Descriptor first = listener.connect();
  CHECK(acceptor.accept(listener.socket.get(), 0));
  const Descriptor second = listener.connect();
  const Descriptor third = listener.connect();
  int accepted = 0;
  {
    const NoDescriptors none;  // also for a sanitizer, which needs one to report what is checked
    for (int i = 0; i < 2; ++i) accepted += bool(acceptor.accept(listener.socket.get(), 0));
  }
  CHECK(accepted == 0);
  CHECK(!listener.readable());
  char byte;
  CHECK(read(second.get(), &byte, 1) == 0);  // the refused ones see an end, not silence
  const Descriptor fourth = listener.connect();
  CHECK(acceptor.accept(listener.socket.get(), 0));
}
