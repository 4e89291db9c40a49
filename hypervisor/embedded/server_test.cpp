#include "hypervisor/embedded/server.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <random>

#include "hypervisor/embedded/message_socket.hpp"

using namespace ringback::hypervisor;
using namespace ringback::hypervisor::embedded;

namespace {

// A server in a temporary directory, on a loop that is stepped by hand.
struct Served {
  Served() {
    char name[] = "/tmp/ringback-test-XXXXXX";
    directory = ::mkdtemp(name);
    server = *Server::open(*loop, options());
  }
  ~Served() {
    server.reset();
    std::filesystem::remove_all(directory);
  }
  ServerOptions options() {
    return {.directory = directory,
            .pages = 64,
            .on_domain_created =
                [this](DomainId domain) {
                  created.push_back(domain);
                  return ringback::Result<void>();
                },
            .on_domain_destroyed = [this](DomainId domain) { destroyed.push_back(domain); }};
  }
  void settle() {
    for (int i = 0; i < 10; ++i) REQUIRE(loop->step(std::chrono::milliseconds(0)));
  }
  Descriptor connect(const std::string& path) {
    auto socket = connect_to(path);
    REQUIRE(socket);
    settle();
    return std::move(*socket);
  }
  Descriptor hypervisor(DomainId domain) { return connect(hypervisor_path(directory, domain)); }

  Answer<Message<Reply>> ask(const Descriptor& socket, const Request& request) {
    REQUIRE(send(socket.get(), request, {}, {}));
    settle();
    return receive<Reply>(socket.get(), MSG_DONTWAIT);
  }
  Descriptor join(DomainId domain) {
    Descriptor anchor = connect(control_path(directory));
    REQUIRE(ask(anchor, {.call = Call::join, .domain = domain})->header.error == 0);
    return anchor;
  }
  std::vector<std::uint32_t> list() {
    return ask(connect(control_path(directory)), {.call = Call::list})->words;
  }

  std::string directory;
  std::unique_ptr<EventLoop> loop = std::move(*EventLoop::open());
  std::vector<DomainId> created;
  std::vector<DomainId> destroyed;
  std::unique_ptr<Server> server;
};

}  // namespace

TEST_CASE("a domain lives as long as one of those that joined it") {
  Served served;
  CHECK(served.created == std::vector<DomainId>{0});
  Descriptor first = served.join(7);
  const Descriptor second = served.join(7);
  CHECK(served.created == std::vector<DomainId>{0, 7});
  first = Descriptor();
  served.settle();
  CHECK(served.destroyed.empty());
  CHECK(std::filesystem::exists(hypervisor_path(served.directory, 7)));
}

TEST_CASE("nothing is left of a domain when the last one leaves") {
  Served served;
  const auto before = served.list();
  {
    const Descriptor anchor = served.join(7);
    const Descriptor handle = served.hypervisor(7);
    CHECK(served.ask(handle, {.call = Call::open_sharer}));
    CHECK(served.ask(handle, {.call = Call::share, .port = 5})->words.size() == 5);
    CHECK(served.list() != before);
  }
  served.settle();
  CHECK(served.destroyed == std::vector<DomainId>{7});
  CHECK(served.list() == before);
  CHECK_FALSE(std::filesystem::exists(domain_directory(served.directory, 7)));
}

TEST_CASE("a second server on the same directory is refused") {
  Served served;
  const auto second = Server::open(*served.loop, served.options());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EBUSY);
}

TEST_CASE("what a dead server left behind is replaced") {
  Served served;
  served.server.reset();
  std::filesystem::create_directory(domain_directory(served.directory, 9));
  REQUIRE(listen_at(control_path(served.directory)));
  auto again = Server::open(*served.loop, served.options());
  REQUIRE(again);
  CHECK_FALSE(std::filesystem::exists(domain_directory(served.directory, 9)));
  served.server = std::move(*again);
  CHECK(served.join(7));
}

TEST_CASE("a call that the connection may not make ends it and no other") {
  Served served;
  const Descriptor anchor = served.join(7);
  const Descriptor good = served.hypervisor(7);
  CHECK(served.ask(good, {.call = Call::open_events}));
  const Descriptor early = served.hypervisor(7);
  CHECK(served.ask(early, {.call = Call::bind_unbound}).error() == ECONNRESET);
  const Descriptor wrong = served.hypervisor(7);
  CHECK(served.ask(wrong, {.call = Call::open_events}));
  CHECK(served.ask(wrong, {.call = Call::map}).error() == ECONNRESET);
  const Descriptor old = served.hypervisor(7);
  CHECK(served.ask(old, {.call = Call::open_events, .version = 0}).error() == ECONNRESET);
  const Descriptor twice = served.join(7);
  CHECK(served.ask(twice, {.call = Call::join, .domain = 8}).error() == ECONNRESET);
  CHECK(served.ask(good, {.call = Call::bind_unbound, .domain = 0})->header.value > 0);
}

TEST_CASE("garbage ends its connection and no other") {
  Served served;
  const Descriptor anchor = served.join(7);
  const Descriptor good = served.hypervisor(7);
  CHECK(served.ask(good, {.call = Call::open_events}));
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const Descriptor bad =
        i % 2 == 0 ? served.hypervisor(7) : served.connect(control_path(served.directory));
    std::vector<std::uint32_t> garbage(1 + random() % 60);
    for (auto& word : garbage)
      word = static_cast<std::uint32_t>(random() % 4 == 0 ? random() : random() % 20);
    if (random() % 2 == 0) garbage[1 % garbage.size()] = layout_version;
    const std::size_t cut = random() % 4;
    REQUIRE(::send(bad.get(), garbage.data(), garbage.size() * 4 - cut, MSG_NOSIGNAL) > 0);
    served.settle();
    // Whole words can be a request by chance; a part of a word can't.
    char byte;
    if (cut != 0) REQUIRE(::recv(bad.get(), &byte, 1, MSG_DONTWAIT) == 0);
  }
  CHECK(served.ask(good, {.call = Call::bind_unbound, .domain = 0})->header.value > 0);
}

TEST_CASE("a domain that fills up its own eventfd holds up nobody") {
  Served served;
  const Descriptor anchor = served.join(7);
  const Descriptor hostile = served.hypervisor(7);
  const auto opened = served.ask(hostile, {.call = Call::open_events});
  const std::uint64_t nearly_all = UINT64_MAX - 1;
  REQUIRE(::write(opened->descriptors.at(1).get(), &nearly_all, sizeof nearly_all) > 0);
  const auto waiting = served.ask(hostile, {.call = Call::bind_unbound, .domain = 0});
  {
    const Descriptor peer = served.hypervisor(0);
    CHECK(served.ask(peer, {.call = Call::open_events}));
    CHECK(served.ask(peer, {.call = Call::bind_remote, .domain = 7, .port = waiting->header.value})
              ->header.error == 0);
  }
  served.settle();  // the peer has gone, and the other end is told so
  CHECK(served.list().size() > 0);
}

TEST_CASE("a domid out of range is refused") {
  Served served;
  const Descriptor control = served.connect(control_path(served.directory));
  CHECK(served.ask(control, {.call = Call::join, .domain = 32752})->header.error == EINVAL);
  CHECK(served.ask(control, {.call = Call::join, .domain = 1u << 20})->header.error == EINVAL);
}

TEST_CASE("a domain's memory can't be shrunk under the others") {
  Served served;
  const Descriptor handle = served.hypervisor(0);
  const auto reply = served.ask(handle, {.call = Call::open_events});
  REQUIRE(reply);
  REQUIRE(reply->descriptors.size() == 2);
  CHECK(::ftruncate(reply->descriptors[0].get(), 0) == -1);
  CHECK(errno == EPERM);
}

TEST_CASE("a path that no socket can have is refused with its reason") {
  Served served;
  ServerOptions options = served.options();
  options.directory += "/" + std::string(120, 'x');
  const auto server = Server::open(*served.loop, options);
  REQUIRE_FALSE(server);
  CHECK(server.error().code == ENAMETOOLONG);
}
