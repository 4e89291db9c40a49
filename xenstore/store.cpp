#include "xenstore/store.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "xenstore/number.hpp"

extern "C" {
#include <xenstore.h>
}

namespace ringback::xenstore {

namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Malloced = std::unique_ptr<T, Free>;

// The operations outside (XBT_NULL) and inside a transaction.

Result<std::optional<std::string>> read_node(xs_handle* handle, xs_transaction_t transaction,
                                             const std::string& path) {
  unsigned length = 0;
  const Malloced<void> value(xs_read(handle, transaction, path.c_str(), &length));
  if (value) return std::string(static_cast<const char*>(value.get()), length);
  if (errno == ENOENT) return std::nullopt;
  return system_failure("xenstore: reading " + path);
}

Result<void> write_node(xs_handle* handle, xs_transaction_t transaction, const std::string& path,
                        std::string_view value) {
  const auto length = static_cast<unsigned>(value.size());
  if (xs_write(handle, transaction, path.c_str(), value.data(), length)) return {};
  return system_failure("xenstore: writing " + path);
}

Result<void> make_node(xs_handle* handle, xs_transaction_t transaction, const std::string& path) {
  if (xs_mkdir(handle, transaction, path.c_str())) return {};
  return system_failure("xenstore: making " + path);
}

Result<void> remove_node(xs_handle* handle, xs_transaction_t transaction, const std::string& path) {
  if (xs_rm(handle, transaction, path.c_str()) || errno == ENOENT) return {};
  return system_failure("xenstore: removing " + path);
}

Result<std::vector<std::string>> list_node(xs_handle* handle, xs_transaction_t transaction,
                                           const std::string& path) {
  unsigned count = 0;
  const Malloced<char*> names(xs_directory(handle, transaction, path.c_str(), &count));
  if (names) return std::vector<std::string>(names.get(), names.get() + count);
  if (errno == ENOENT) return std::vector<std::string>();
  return system_failure("xenstore: listing " + path);
}

Result<void> set_node_permissions(xs_handle* handle, xs_transaction_t transaction,
                                  const std::string& path,
                                  const std::vector<Permission>& permissions) {
  std::vector<xs_permissions> raw;
  for (const auto& permission : permissions) {
    const unsigned read = permission.read ? XS_PERM_READ : 0;
    const unsigned write = permission.write ? XS_PERM_WRITE : 0;
    raw.push_back({permission.domain, read | write});
  }
  const auto count = static_cast<unsigned>(raw.size());
  if (xs_set_permissions(handle, transaction, path.c_str(), raw.data(), count)) return {};
  return system_failure("xenstore: setting the permissions of " + path);
}

// Nothing where the store is not behind a socket but behind a device (/dev/xen/xenbus), which does
// not break.
hypervisor::Descriptor connect_lifeline() {
  const std::string_view path = xs_daemon_socket();
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  hypervisor::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || path.size() >= sizeof address.sun_path) return {};
  path.copy(address.sun_path, path.size());
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  if (connect(socket.get(), raw, sizeof address) != 0) return {};
  return socket;
}

bool has_broken(const hypervisor::Descriptor& lifeline) {
  pollfd end = {lifeline.get(), POLLRDHUP, 0};
  return lifeline && poll(&end, 1, 0) == 1;
}

}  // namespace

std::string Store::folder() {
  const char* const path = std::getenv("XENSTORED_PATH");
  if (path == nullptr) return {};
  std::error_code ignored;
  const auto socket = std::filesystem::weakly_canonical(path, ignored);
  return socket == "/run/xenstored/socket" ? std::string() : socket.parent_path().string();
}

Result<Store> Store::open() {
  auto* const requests = xs_open(0);
  auto* const watches = requests == nullptr ? nullptr : xs_open(0);
  if (watches != nullptr) {
    Store store(requests, watches);
    if (auto made = store.make_readiness(); !made) return tl::unexpected(made.error());
    return store;
  }
  const int code = errno;
  xs_close(requests);
  const char* path = std::getenv("XENSTORED_PATH");
  return failure(code, std::string("no xenstore") +
                           (path ? std::string(" at ") + path + " (XENSTORED_PATH)" : "") + ": " +
                           std::strerror(code) +
                           ". On Xen, xenstored has to run; elsewhere start `ringback-hypervisor "
                           "serve` and run this under `ringback-hypervisor exec DOMID --`");
}

Result<void> Store::make_readiness() {
  readiness_ = hypervisor::Descriptor(epoll_create1(EPOLL_CLOEXEC));
  lifeline_ = connect_lifeline();
  epoll_event events = {.events = EPOLLIN, .data = {}};
  epoll_event end = {.events = EPOLLRDHUP, .data = {}};
  if (!readiness_ ||
      epoll_ctl(readiness_.get(), EPOLL_CTL_ADD, xs_fileno(watches_), &events) != 0 ||
      (lifeline_ && epoll_ctl(readiness_.get(), EPOLL_CTL_ADD, lifeline_.get(), &end) != 0)) {
    return system_failure("xenstore: waiting for events");
  }
  return {};
}

Store::Store(Store&& other) noexcept
    : requests_(std::exchange(other.requests_, nullptr)),
      watches_(std::exchange(other.watches_, nullptr)),
      lifeline_(std::move(other.lifeline_)),
      readiness_(std::move(other.readiness_)) {}
Store& Store::operator=(Store&& other) noexcept {
  std::swap(requests_, other.requests_);
  std::swap(watches_, other.watches_);
  std::swap(lifeline_, other.lifeline_);
  std::swap(readiness_, other.readiness_);
  return *this;
}
Store::~Store() {
  xs_close(watches_);
  xs_close(requests_);
}

Result<std::optional<std::string>> Store::read(const std::string& path) {
  return read_node(requests_, XBT_NULL, path);
}
Result<void> Store::write(const std::string& path, std::string_view value) {
  return write_node(requests_, XBT_NULL, path, value);
}
Result<void> Store::make_directory(const std::string& path) {
  return make_node(requests_, XBT_NULL, path);
}
Result<void> Store::remove(const std::string& path) {
  return remove_node(requests_, XBT_NULL, path);
}
Result<std::vector<std::string>> Store::list(const std::string& path) {
  return list_node(requests_, XBT_NULL, path);
}
Result<void> Store::set_permissions(const std::string& path,
                                    const std::vector<Permission>& permissions) {
  return set_node_permissions(requests_, XBT_NULL, path, permissions);
}

Result<std::vector<Permission>> Store::permissions(const std::string& path) {
  unsigned count = 0;
  const Malloced<xs_permissions> raw(xs_get_permissions(requests_, XBT_NULL, path.c_str(), &count));
  if (!raw) return system_failure("xenstore: reading the permissions of " + path);
  std::vector<Permission> permissions;
  for (unsigned i = 0; i < count; ++i) {
    const auto& entry = raw.get()[i];
    permissions.push_back({static_cast<DomainId>(entry.id), (entry.perms & XS_PERM_READ) != 0,
                           (entry.perms & XS_PERM_WRITE) != 0});
  }
  return permissions;
}

Result<void> Store::transact(const std::function<Result<void>(Transaction&)>& body, int attempts) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto id = xs_transaction_start(requests_);
    if (id == XBT_NULL) return system_failure("xenstore: starting a transaction");
    Transaction transaction(requests_, id);
    if (auto done = body(transaction); !done) {
      xs_transaction_end(requests_, id, true);
      return done;
    }
    if (xs_transaction_end(requests_, id, false)) return {};
    if (errno != EAGAIN) return system_failure("xenstore: ending a transaction");
    std::this_thread::sleep_for(std::chrono::milliseconds(attempt));
  }
  return failure(EAGAIN, "xenstore: others kept changing what a transaction reads; gave up after " +
                             std::to_string(attempts) + " attempts");
}

int Store::fd() const {
  return readiness_.get();
}

Result<void> Store::watch(const std::string& path, const std::string& token) {
  if (xs_watch(watches_, path.c_str(), token.c_str())) return {};
  return system_failure("xenstore: watching " + path);
}

void Store::unwatch(const std::string& path, const std::string& token) {
  xs_unwatch(watches_, path.c_str(), token.c_str());
}

Result<std::optional<WatchEvent>> Store::next_event() {
  const Malloced<char*> event(xs_check_watch(watches_));
  if (event) return WatchEvent{event.get()[XS_WATCH_PATH], event.get()[XS_WATCH_TOKEN]};
  if (errno == EAGAIN && !has_broken(lifeline_)) return std::nullopt;
  return failure(ECONNRESET, "xenstore: the connection to the store has broken");
}

Result<DomainId> Store::own_domain() {
  // A relative path starts in the home of the domain that asks.
  const auto text = read("domid");
  if (!text) return tl::unexpected(text.error());
  if (!*text) {
    return failure(ENOENT, "xenstore: no domid for this domain; has the toolstack written it?");
  }
  return parse_number<DomainId>("domid", **text);
}

Result<std::optional<std::string>> Transaction::read(const std::string& path) {
  return read_node(handle_, id_, path);
}
Result<void> Transaction::write(const std::string& path, std::string_view value) {
  return write_node(handle_, id_, path, value);
}
Result<void> Transaction::make_directory(const std::string& path) {
  return make_node(handle_, id_, path);
}
Result<void> Transaction::remove(const std::string& path) {
  return remove_node(handle_, id_, path);
}
Result<std::vector<std::string>> Transaction::list(const std::string& path) {
  return list_node(handle_, id_, path);
}
Result<void> Transaction::set_permissions(const std::string& path,
                                          const std::vector<Permission>& permissions) {
  return set_node_permissions(handle_, id_, path, permissions);
}

}  // namespace ringback::xenstore
