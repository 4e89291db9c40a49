// The domains' lives, and what is theirs outside the machine (machine.hpp): a folder with the
// socket where handles are opened, memory that processes can map, eventfds that wake them.
#pragma once

#include "hypervisor/embedded/listener.hpp"
#include "hypervisor/embedded/machine.hpp"
#include "hypervisor/embedded/server_options.hpp"
#include "hypervisor/embedded/shared_memory.hpp"

namespace ringback::hypervisor::embedded {

class Domains final : private Host {
 public:
  using MakeSession = std::function<std::unique_ptr<Session>(DomainId)>;

  // make_session: for who opens a handle. The rest is used as long as the domains are there.
  Domains(EventLoop& loop, Acceptor& acceptor, const ServerOptions& options,
          MakeSession make_session)
      : loop_(loop),
        acceptor_(acceptor),
        options_(options),
        make_session_(std::move(make_session)) {}
  ~Domains() override;
  // From now on no page is given back: programs that outlive the server would see their rings
  // zeroed, and blame each other.
  void keep_pages() { keeping_pages_ = true; }

  Result<void> create(DomainId domain);
  // Of a command: the first makes the domain, and it ends with the last, if it is not domain 0.
  Result<void> join(DomainId domain);
  void leave(DomainId domain);
  // The domains from that domid on.
  std::vector<DomainCounts> counts(std::uint32_t from, std::size_t limit) const;

  Machine& machine() { return machine_; }
  // For a handle that is woken by its eventfd; others are the machine's to open.
  HandleId open(DomainId domain, Descriptor eventfd);
  void close(HandleId handle);
  // To be called when pages may have been revoked: it sees to it that they come free.
  void settle();

  std::uint32_t pages() const { return options_.pages; }
  // Descriptors to send: of a domain that exists, and of a handle if it has one.
  int memory(DomainId domain) const { return domains_.at(domain).memory_fd.get(); }
  std::optional<int> eventfd(HandleId handle) const;

 private:
  struct Domain {
    Descriptor memory_fd;
    SharedMemory memory;
    std::unique_ptr<Listener> listener;
    std::uint32_t commands = 0;
  };

  Result<void> make(DomainId domain);
  void destroy(DomainId domain);
  void wake(HandleId handle) override;
  void discard(DomainId domain, std::uint32_t first_page, std::uint32_t count) override;

  EventLoop& loop_;
  Acceptor& acceptor_;
  const ServerOptions& options_;
  const MakeSession make_session_;
  bool keeping_pages_ = false;
  Machine machine_{*this};
  std::map<DomainId, Domain> domains_;
  std::unordered_map<HandleId, Descriptor> eventfds_;
  std::optional<EventLoop::TimerId> settling_;
};

}  // namespace ringback::hypervisor::embedded
