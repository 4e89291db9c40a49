// The embedded hypervisor as a state machine without I/O: domains, event channels, grants, and what
// each handle holds of them. The server (server.hpp) feeds it; tests run it on plain memory. One
// thread.
//
// A handle is what a program opened: as on Linux, a port, a grant or a mapping belongs to the
// handle that made it, and goes when the handle is closed. Errors are errno values, the ones that
// Linux's devices give.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "hypervisor/embedded/answer.hpp"
#include "hypervisor/embedded/layout.hpp"
#include "hypervisor/embedded/number_pool.hpp"
#include "hypervisor/embedded/protocol.hpp"

namespace ringback::hypervisor::embedded {

using HandleId = std::uint64_t;  // 0: nobody's; never used again

// What happens when a page is unmapped, on purpose or by death: a byte of it is zeroed, an event
// sent.
struct UnmapNotification {
  std::optional<std::uint32_t> offset;
  std::optional<Port> port;
};

// What the machine needs done outside.
class Host {
 public:
  virtual ~Host() = default;
  // Makes the handle look at its ports.
  virtual void wake(HandleId handle) = 0;
  // Gives the memory of these pages back; they read as zeros afterwards.
  virtual void discard(DomainId domain, std::uint32_t first_page, std::uint32_t count) = 0;
};

class Machine {
 public:
  explicit Machine(Host& host) : host_(host) {}

  // memory: zeroed, and there until the domain is destroyed.
  Answer<void> create_domain(DomainId domain, DomainMemory memory);
  // Closes its handles first.
  void destroy_domain(DomainId domain);
  bool exists(DomainId domain) const { return domains_.contains(domain); }
  // Tells one life of a domid from the next.
  std::uint64_t domain_id(DomainId domain) const { return domains_.at(domain).id; }
  DomainCounts counts(DomainId domain) const;

  // epoch: odd while the handle's process is in a batch of copies; null if it never is. It stays
  // until close().
  HandleId open(DomainId domain, std::uint64_t* epoch = nullptr);
  void close(HandleId handle);

  Answer<Port> bind_unbound(HandleId handle, DomainId remote);
  // The local port starts pending, to cover events that were sent before (as Xen does).
  Answer<Port> bind_interdomain(HandleId handle, DomainId remote, Port remote_port);
  Answer<Port> bind_virq(HandleId handle, std::uint32_t virq);
  Answer<void> unbind(HandleId handle, Port port);
  // From now on the handle binds to that domain only.
  Answer<void> restrict(HandleId handle, DomainId domain);

  // Where notifications of a port go: `owner` is the handle at the other end, 0 if there is none.
  struct Peer {
    PortTag tag = 0;
    DomainId domain = 0;
    Port port = 0;
    HandleId owner = 0;
  };
  Answer<Peer> peer(HandleId handle, Port port) const;

  struct Share {
    std::uint64_t id;
    std::vector<GrantRef> refs;
  };
  Answer<Share> share(HandleId handle, DomainId with, std::uint32_t count, bool writable,
                      UnmapNotification notification = {});
  // No new mapping or copy succeeds; a page is used again once the last mapping and copy of it have
  // ended.
  Answer<void> unshare(HandleId handle, std::uint64_t share);
  // All of them or none. The id is for unmap().
  Answer<std::uint64_t> map(HandleId handle, DomainId granter, std::span<const GrantRef> refs,
                            bool writable, UnmapNotification notification = {});
  Answer<void> unmap(HandleId handle, std::uint64_t mapping);
  // Whether a process of `domain` may map the granter's memory to copy: if there is anything for it
  // to copy.
  bool may_copy(DomainId domain, DomainId granter) const;

  // Frees the revoked pages that no copy can touch any more. True: some are left, call again soon.
  bool settle();

 private:
  struct Channel {
    PortState state = PortState::free;
    DomainId remote = 0;
    Port remote_port = 0;  // the virq of a virq
    HandleId owner = 0;
    std::uint32_t holds = 0;  // unmap notifications that will be sent through it
    std::uint64_t generation = 0;
  };
  struct Grant {
    bool granted = false;
    DomainId to = 0;
    bool writable = false;
    std::uint32_t readers = 0;
    std::uint32_t writers = 0;
  };
  struct Domain {
    std::uint64_t id;
    DomainMemory memory;
    NumberPool ports{1, port_count};
    NumberPool pages;
    std::vector<Channel> channels{};  // by port; as long as the highest one in use needed
    std::vector<Grant> grants{};      // by page, likewise
    std::map<DomainId, std::uint32_t> granted_to{};
    std::map<std::uint32_t, Port> virqs{};
    std::set<HandleId> handles{};
    DomainCounts counts{};
  };
  struct ShareRecord {
    std::vector<GrantRef> refs;
    UnmapNotification notification;
  };
  struct MapRecord {
    DomainId granter;
    std::uint64_t granter_id;
    std::vector<GrantRef> refs;
    bool writable;
    UnmapNotification notification;
  };
  struct Handle {
    DomainId domain;
    std::uint64_t* epoch;
    std::optional<DomainId> restricted_to{};
    std::set<Port> ports{};
    std::map<std::uint64_t, ShareRecord> shares{};
    std::map<std::uint64_t, MapRecord> mappings{};
  };
  // Pages revoked while copies were under way, and the epochs of those copies.
  struct Retired {
    DomainId domain;
    std::uint64_t domain_id;
    std::vector<std::uint32_t> pages;
    std::map<HandleId, std::uint64_t> copiers;
  };

  Domain* find(DomainId domain, std::uint64_t id);
  Channel* own_channel(HandleId handle, Port port);
  Answer<Port> allocate_port(HandleId handle, DomainId remote);
  void set_state(Domain& domain, Port port, PortState state);
  void send(DomainId domain, Port port);
  void raise(Domain& domain, Port port);
  void disown(DomainId domain, Port port);
  void free_port(DomainId domain, Port port);

  bool hold(DomainId domain, const UnmapNotification& notification);
  void fire(DomainId domain, const UnmapNotification& notification, std::byte* page);
  void publish(Domain& domain, GrantRef ref);
  void end_share(DomainId domain, const ShareRecord& share);
  void end_mapping(DomainId domain, const MapRecord& mapping);
  void retire(DomainId domain, std::vector<std::uint32_t> pages);
  bool copying(const Retired& retired) const;
  void reuse(const Retired& retired);

  Host& host_;
  std::uint64_t next_id_ = 1;  // of domains, handles, shares and mappings
  std::map<DomainId, Domain> domains_;
  std::unordered_map<HandleId, Handle> handles_;
  std::vector<Retired> retired_;
};

}  // namespace ringback::hypervisor::embedded
