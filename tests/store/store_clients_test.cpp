// The embedded store behind its sockets, as clients see it through libxenstore.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "xenstore/server/socket_server.hpp"

extern "C" {  // the header does not say so itself
#include <xenstore.h>
}

using namespace ringback;

namespace {

// A store with domains 0, 1 and 2, served by a thread of its own.
class Served {
 public:
  Served() {
    for (const hypervisor::DomainId domain :
         {hypervisor::DomainId{0}, hypervisor::DomainId{1}, hypervisor::DomainId{2}}) {
      server_->introduce(domain);
      REQUIRE(server_->listen(path(domain), domain));
    }
    resume();
  }
  ~Served() {
    pause();
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string path(unsigned domain) const { return directory_ + "/" + std::to_string(domain); }

  // The server is only touched while its thread rests.
  void release(hypervisor::DomainId domain) {
    pause();
    server_->release(domain);
    resume();
  }

 private:
  static std::string make_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "store.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }
  void pause() {
    resting_ = true;
    thread_.join();
  }
  void resume() {
    resting_ = false;
    thread_ = std::thread([this] {
      while (!resting_) REQUIRE((*loop_)->step(std::chrono::milliseconds(10)));
    });
  }

  std::string directory_ = make_directory();
  Result<std::unique_ptr<hypervisor::EventLoop>> loop_ = hypervisor::EventLoop::open();
  std::optional<xenstore::server::StoreServer> server_{**loop_};
  std::atomic<bool> resting_ = false;
  std::thread thread_;
};

class Client {
 public:
  Client(const Served& served, unsigned domain) {
    setenv("XENSTORED_PATH", served.path(domain).c_str(), 1);
    handle_ = xs_open(0);
    REQUIRE(handle_ != nullptr);
  }
  ~Client() { xs_close(handle_); }
  Client(const Client&) = delete;

  std::optional<std::string> read(const std::string& path,
                                  xs_transaction_t transaction = XBT_NULL) {
    unsigned length = 0;
    char* value = static_cast<char*>(xs_read(handle_, transaction, path.c_str(), &length));
    if (!value) return std::nullopt;
    std::string text(value, length);
    std::free(value);
    return text;
  }
  bool write(const std::string& path, const std::string& value,
             xs_transaction_t transaction = XBT_NULL) {
    return xs_write(handle_, transaction, path.c_str(), value.data(),
                    static_cast<unsigned>(value.size()));
  }
  xs_handle* operator*() const { return handle_; }

 private:
  xs_handle* handle_;
};

}  // namespace

TEST_CASE_FIXTURE(Served, "a guest can't read or write what it has no permission for") {
  Client dom0(*this, 0), guest(*this, 1), other(*this, 2);
  CHECK(guest.read("domid") == "1");
  CHECK(other.read("domid") == "2");
  CHECK(guest.write("data/key", "mine"));
  CHECK_FALSE(other.read("/local/domain/1/data/key"));
  CHECK(errno == EACCES);
  CHECK_FALSE(other.write("/local/domain/1/data/key", "theirs"));
  CHECK(errno == EACCES);
  CHECK_FALSE(guest.write("name", "root"));
  CHECK(errno == EACCES);
  CHECK_FALSE(xs_rm(*other, XBT_NULL, "/local/domain/1/data"));
  CHECK(errno == EACCES);
  CHECK_FALSE(xs_introduce_domain(*guest, 3, 1, 1));
  CHECK(errno == EACCES);
  CHECK(dom0.read("/local/domain/1/data/key") == "mine");

  xs_permissions shared[] = {{1, XS_PERM_NONE}, {2, XS_PERM_READ}};
  CHECK(xs_set_permissions(*guest, XBT_NULL, "data/key", shared, 2));
  CHECK(other.read("/local/domain/1/data/key") == "mine");
}

TEST_CASE_FIXTURE(Served,
                  "a commit after somebody else's write says EAGAIN and the next try works") {
  Client dom0(*this, 0), guest(*this, 1);
  REQUIRE(guest.write("data/key", "0"));
  const xs_transaction_t transaction = xs_transaction_start(*guest);
  CHECK(guest.read("data/key", transaction) == "0");
  CHECK(guest.write("data/key", "guest", transaction));
  CHECK(dom0.write("/local/domain/1/data/key", "dom0"));
  CHECK_FALSE(xs_transaction_end(*guest, transaction, false));
  CHECK(errno == EAGAIN);
  CHECK(guest.read("data/key") == "dom0");

  const xs_transaction_t again = xs_transaction_start(*guest);
  CHECK(guest.write("data/key", "guest", again));
  CHECK(dom0.read("/local/domain/1/data/key") == "dom0");
  CHECK(xs_transaction_end(*guest, again, false));
  CHECK(dom0.read("/local/domain/1/data/key") == "guest");
}

TEST_CASE_FIXTURE(
    Served, "a domain that ends is gone with its directory and connections and domain 0 is told") {
  Client dom0(*this, 0), guest(*this, 1);
  REQUIRE(xs_watch(*dom0, "@releaseDomain", "t"));
  unsigned count = 0;
  std::free(xs_read_watch(*dom0, &count));
  release(1);
  char** event = xs_read_watch(*dom0, &count);
  CHECK(std::string(event[XS_WATCH_PATH]) == "@releaseDomain");
  std::free(event);
  CHECK_FALSE(guest.read("domid"));
  CHECK_FALSE(dom0.read("/local/domain/1"));
  CHECK(errno == ENOENT);
  CHECK_FALSE(xs_is_domain_introduced(*dom0, 1));
  CHECK_FALSE(std::filesystem::exists(path(1)));
}

TEST_CASE_FIXTURE(Served,
                  "a client that sends requests and never reads does not hinder the others") {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path(1).copy(address.sun_path, sizeof address.sun_path - 1);
  const hypervisor::Descriptor rude(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(rude.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::uint32_t header[] = {2 /* READ */, 0, 0, 5};
  std::string request(reinterpret_cast<const char*>(header), sizeof header);
  request += std::string("name\0", 5);
  ssize_t sent = 0;
  for (int i = 0; i < 1000000 && sent >= 0; ++i)
    sent = ::send(rude.get(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  CHECK(errno == EAGAIN);  // it was stopped by its own full socket

  Client guest(*this, 1);
  CHECK(guest.read("name") == "domain-1");
}
