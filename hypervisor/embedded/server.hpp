// The embedded hypervisor's server: the machine (machine.hpp) behind sockets (protocol.hpp), on an
// event loop's thread. Whatever a client sends, at worst its own connection ends.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "hypervisor/acceptor.hpp"
#include "hypervisor/descriptor.hpp"
#include "hypervisor/embedded/machine.hpp"
#include "hypervisor/embedded/message_socket.hpp"
#include "hypervisor/embedded/shared_memory.hpp"
#include "hypervisor/event_loop.hpp"
#include "hypervisor/result.hpp"

namespace ringback::hypervisor::embedded {

struct ServerOptions {
  std::string directory;
  std::uint32_t pages = 262144;  // of a domain: 1 GiB
  // Called with the domain's folder there, before and after its sockets are; an error refuses the
  // domain. Domain 0 is made when the server opens and lives as long as it does; the others live as
  // long as a command of theirs.
  std::function<Result<void>(DomainId)> on_domain_created = [](DomainId) { return Result<void>(); };
  std::function<void(DomainId)> on_domain_destroyed = [](DomainId) {};
};

std::string control_path(const std::string& directory);
std::string domain_directory(const std::string& directory, DomainId domain);
std::string hypervisor_path(const std::string& directory, DomainId domain);

class Server final : private Host {
 public:
  // Takes the directory over: EBUSY if another server has it. What a dead one left there is
  // removed.
  static Result<std::unique_ptr<Server>> open(EventLoop& loop, ServerOptions options);
  ~Server() override;

 private:
  struct Connection {
    Descriptor socket;
    bool control = false;
    DomainId domain = 0;
    bool joined = false;  // control only: it keeps the domain alive
    HandleId handle = 0;  // 0 before open and after close
    Call kind{};          // how it was opened
    Descriptor eventfd{};
    SharedMemory epoch{};
  };
  struct Domain {
    Descriptor memory_fd;
    SharedMemory memory;
    Descriptor listener;
    std::uint32_t commands = 0;
  };
  // A reply on its way out.
  struct Outgoing {
    Reply reply{};
    std::vector<std::uint32_t> words{};
    std::vector<int> descriptors{};
    Descriptor passed_on{};  // one of the above that the server does not keep
  };
  using Incoming = Message<Request>;

  Server(EventLoop& loop, ServerOptions options, Descriptor directory);
  Result<void> start();
  Result<void> create_domain(DomainId domain);
  Result<void> make_domain(DomainId domain);
  void destroy_domain(DomainId domain);
  Result<Descriptor> listen(const std::string& path, std::function<void(Descriptor)> accept);
  void accept_from(int listener, const std::function<void(Descriptor)>& accept);
  void add(Connection connection);
  void drop(int socket);
  // False: the connection is to end.
  bool serve(Connection& connection);
  bool control(Connection& connection, const Incoming& in, Outgoing& out);
  bool open_handle(Connection& connection, Incoming& in, Outgoing& out);
  bool operate(Connection& connection, const Incoming& in, Outgoing& out);
  bool events(const Connection& connection, const Incoming& in, Outgoing& out);
  bool grants(const Connection& connection, const Incoming& in, Outgoing& out);
  void join(Connection& connection, std::uint32_t domain, Outgoing& out);
  void list(std::uint32_t from, Outgoing& out);
  void settle();

  void wake(HandleId handle) override;
  void discard(DomainId domain, std::uint32_t first_page, std::uint32_t count) override;

  EventLoop& loop_;
  const ServerOptions options_;
  Descriptor directory_;  // locked
  Acceptor acceptor_;
  Descriptor control_;
  Machine machine_{*this};
  std::map<DomainId, Domain> domains_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::unordered_map<HandleId, int> eventfds_;
  std::optional<EventLoop::TimerId> settling_;
  bool stopping_ = false;
};

}  // namespace ringback::hypervisor::embedded
