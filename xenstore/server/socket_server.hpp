// The embedded store behind Unix sockets, as libxenstore finds it by XENSTORED_PATH. Which socket a
// client comes by says which domain it is. Everything runs on the event loop's thread.
#pragma once

#include <map>
#include <string>

#include "hypervisor/acceptor.hpp"
#include "hypervisor/descriptor.hpp"
#include "hypervisor/event_loop.hpp"
#include "xenstore/server/machine.hpp"

namespace ringback::xenstore::server {

class StoreServer {
 public:
  // The loop must outlive it. Domain 0 is there from the start, with its directory.
  explicit StoreServer(hypervisor::EventLoop& loop, Quota quota = {});
  StoreServer(const StoreServer&) = delete;
  ~StoreServer();

  // A socket left over at the path is replaced. Clients are let in while the domain exists.
  Result<void> listen(const std::string& socket_path, DomainId domain);

  // The domain begins: its directory is made, "@introduceDomain" fires.
  void introduce(DomainId domain);
  // It ends: its sockets and connections are closed, its nodes and its directory removed,
  // "@releaseDomain" fires.
  void release(DomainId domain);

  // What it has been asked, in number; from any thread.
  std::uint64_t requests() const { return machine_.requests(); }

 private:
  struct Listener {
    hypervisor::Descriptor socket;
    std::string path;
    DomainId domain;
  };
  struct Client {
    hypervisor::Descriptor socket;
    SessionId session;
    std::uint32_t interest;  // what the loop waits for
  };

  void accept_one(int fd);
  void read_from(int fd, std::uint32_t events);
  void settle();
  bool flush(Client& client);
  void await(Client& client);
  void drop(int fd);
  void close_listener(int fd);

  hypervisor::EventLoop& loop_;
  hypervisor::Acceptor acceptor_;
  Machine machine_;
  std::map<int, Listener> listeners_;
  std::map<int, Client> clients_;
};

}  // namespace ringback::xenstore::server
