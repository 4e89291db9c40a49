// The client of xenstore, over libxenstore. One object per thread. Which store it reaches is
// libxenstore's affair (XENSTORED_PATH, /run/xenstored/socket, /dev/xen/xenbus), so Xen's and the
// embedded one look the same.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/result.hpp"
#include "hypervisor/types.hpp"

struct xs_handle;

namespace ringback::xenstore {

using hypervisor::DomainId;

struct Permission {
  DomainId domain = 0;
  bool read = false;
  bool write = false;
  friend bool operator==(const Permission&, const Permission&) = default;
};

struct WatchEvent {
  std::string path;  // what changed, or the watched path itself right after watch()
  std::string token;
};

class Transaction;

class Store {
 public:
  static Result<Store> open();
  // Where it is: empty for Xen's own, else the folder of its socket (the embedded hypervisor's, or
  // a test's).
  static std::string folder();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // A missing node is not an error: nothing. No right to read it is one (EACCES).
  Result<std::optional<std::string>> read(const std::string& path);
  Result<void> write(const std::string& path, std::string_view value);
  Result<void> make_directory(const std::string& path);
  // With all that is below it; a missing node is not an error.
  Result<void> remove(const std::string& path);
  // The names of the children; a missing node has none.
  Result<std::vector<std::string>> list(const std::string& path);
  // The first entry names the owner, and what everybody not named further on may do (xenstore's
  // rule).
  Result<std::vector<Permission>> permissions(const std::string& path);
  Result<void> set_permissions(const std::string& path, const std::vector<Permission>& permissions);

  // Runs body in a transaction, again when another client got in between (EAGAIN), at most
  // `attempts` times with a short growing pause: then EAGAIN is returned. Body's own error abandons
  // the transaction and is returned. Body may run more than once, so it has no effects outside the
  // transaction.
  Result<void> transact(const std::function<Result<void>(Transaction&)>& body, int attempts = 32);

  // Behind a socket, which breaks when the store dies; else behind a device, which does not.
  bool can_break() const { return static_cast<bool>(lifeline_); }
  // Readable when next_event() may have something.
  int fd() const;
  // Fires once at once, then on every change of path or of what is below it; also where path does
  // not exist yet.
  Result<void> watch(const std::string& path, const std::string& token);
  void unwatch(const std::string& path, const std::string& token);
  // Never blocks. An error if the connection to the store has broken.
  Result<std::optional<WatchEvent>> next_event();

  // This domain's own number, from the store.
  Result<DomainId> own_domain();

 private:
  friend class Transaction;
  Store(xs_handle* requests, xs_handle* watches) : requests_(requests), watches_(watches) {}
  Result<void> make_readiness();

  xs_handle* requests_;
  // A connection of its own: libxenstore has a thread read one with watches, and then each answer
  // to a request comes from there and costs two changes of threads.
  xs_handle* watches_;
  // libxenstore does not say when its connection breaks: its descriptor stays silent. A third
  // connection that is never used does; readiness_ is an epoll of both.
  hypervisor::Descriptor lifeline_;
  hypervisor::Descriptor readiness_;
};

// The same operations within a transaction; made by Store::transact().
class Transaction {
 public:
  Result<std::optional<std::string>> read(const std::string& path);
  Result<void> write(const std::string& path, std::string_view value);
  Result<void> make_directory(const std::string& path);
  Result<void> remove(const std::string& path);
  Result<std::vector<std::string>> list(const std::string& path);
  Result<void> set_permissions(const std::string& path, const std::vector<Permission>& permissions);

 private:
  friend class Store;
  Transaction(xs_handle* handle, std::uint32_t id) : handle_(handle), id_(id) {}
  xs_handle* handle_;
  std::uint32_t id_;
};

}  // namespace ringback::xenstore
