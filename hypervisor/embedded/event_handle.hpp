// One handle on event channels: what xenevtchn_open gives. Binding is a call to the server; notify,
// pending and unmask work on shared memory and eventfds.
//
//   notify:  remote pending bit set --(was clear, not masked)--> write the eventfd of the handle
//   that owns the remote port pending: read own eventfd -> for own ports: pending and not masked ->
//   mask, clear, hand out unmask:  clear the mask bit --(pending)--> write own eventfd
//
// The bits are seq_cst: of a notify and an unmask that cross, one sees the other. Used by one
// thread at a time, but notify() may be called from any thread at any time.
#pragma once

#include <memory>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "hypervisor/embedded/client.hpp"
#include "hypervisor/embedded/shared_memory.hpp"

namespace ringback::hypervisor::embedded {

class EventHandle {
 public:
  static Answer<std::unique_ptr<EventHandle>> open(bool close_on_exec);

  int fd() const { return eventfd_.get(); }
  Answer<Port> bind_unbound(std::uint32_t remote);
  Answer<Port> bind_interdomain(std::uint32_t remote, Port remote_port);
  Answer<Port> bind_virq(std::uint32_t virq);
  Answer<void> unbind(Port port);
  Answer<void> restrict(std::uint32_t domain);

  Answer<void> notify(Port port);
  // Blocks as the descriptor's flags say; EAGAIN if it would and may not.
  Answer<Port> pending();
  Answer<void> unmask(Port port);

 private:
  // The other end of a port, as of the port's tag.
  struct Target {
    PortTag tag = 0;  // 0: not yet asked for; no port has this tag once it was bound
    Port port = 0;
    std::uint64_t owner = 0;
    std::uint64_t domain_id = 0;
    std::shared_ptr<SharedMemory> memory{};
    std::shared_ptr<Descriptor> eventfd{};
  };
  struct OwnPorts {
    std::size_t word;
    std::uint64_t bits;
  };

  EventHandle(Client client, SharedMemory memory, Descriptor eventfd);
  Answer<Port> bind(const Request& request);
  Answer<void> refresh(Port port);
  void share_with_others(Target& target) const;
  void drop_dead_targets();
  bool owns(Port port) const;
  void scan();
  void put_token();
  Answer<void> take_token();
  void drain_if_all_delivered();
  bool may_block() const;
  Port find_spurious() const;

  // notify() takes it shared, whatever changes the targets or talks to the server takes it alone.
  std::shared_mutex mutex_;
  Client client_;
  std::unordered_map<Port, Target> targets_;  // by own port: one for each

  // Of the handle's thread only.
  SharedMemory mapped_;
  DomainMemory memory_;
  Descriptor eventfd_;
  std::vector<OwnPorts> own_;  // sorted by word
  std::vector<Port> ready_;    // found pending, masked, not yet handed out from next_ready_ on
  std::size_t next_ready_ = 0;
  bool token_left_ = false;  // the eventfd was made readable for the sake of ready_
  Port last_delivered_ = 0;
};

}  // namespace ringback::hypervisor::embedded
