// Event channels, as xen/common/event_channel.c's behaviour is described in xen/event_channel.h.
#include <cerrno>

#include "hypervisor/embedded/machine.hpp"
#include "hypervisor/embedded/xen.hpp"

namespace ringback::hypervisor::embedded {

Machine::Channel* Machine::own_channel(HandleId handle, Port port) {
  Handle& h = handles_.at(handle);
  return h.ports.contains(port) ? &domains_.at(h.domain).channels[port] : nullptr;
}

// A free port for the handle; its channel's state is still to be set.
Answer<Port> Machine::allocate_port(HandleId handle, DomainId remote) {
  Handle& h = handles_.at(handle);
  Domain& domain = domains_.at(h.domain);
  if (h.restricted_to && h.restricted_to != remote) return tl::unexpected(EACCES);
  if (domain.ports.available() == 0) return tl::unexpected(ENOSPC);
  const Port port = domain.ports.take();
  if (domain.channels.size() <= port) domain.channels.resize(port + 1);

  Channel& channel = domain.channels[port];
  channel.remote = remote;
  channel.remote_port = 0;
  channel.owner = handle;
  // Linux unmasks what its event channel device has bound.
  domain.memory.pending(word_of(port)).fetch_and(~bit_of(port));
  domain.memory.mask(word_of(port)).fetch_and(~bit_of(port));
  h.ports.insert(port);
  ++domain.counts.ports;
  return port;
}

void Machine::set_state(Domain& domain, Port port, PortState state) {
  Channel& channel = domain.channels[port];
  channel.state = state;
  domain.memory.tag(port).store(make_tag(++channel.generation, state));
}

Answer<Port> Machine::bind_unbound(HandleId handle, DomainId remote) {
  const DomainId self = handles_.at(handle).domain;
  const auto port = allocate_port(handle, remote == DOMID_SELF ? self : remote);
  if (port) set_state(domains_.at(self), *port, PortState::unbound);
  return port;
}

Answer<Port> Machine::bind_interdomain(HandleId handle, DomainId remote, Port remote_port) {
  const DomainId self = handles_.at(handle).domain;
  if (remote == DOMID_SELF) remote = self;
  const auto found = domains_.find(remote);
  if (found == domains_.end()) return tl::unexpected(ESRCH);
  Domain& there = found->second;
  if (remote_port >= there.channels.size()) return tl::unexpected(EINVAL);
  const Channel& far = there.channels[remote_port];
  if (far.state != PortState::unbound || far.remote != self) return tl::unexpected(EINVAL);

  const auto port = allocate_port(handle, remote);
  if (!port) return port;
  // Looked up again: allocating may have moved the channels of this very domain.
  Domain& here = domains_.at(self);
  here.channels[*port].remote_port = remote_port;
  there.channels[remote_port].remote_port = *port;
  set_state(there, remote_port, PortState::interdomain);
  set_state(here, *port, PortState::interdomain);
  raise(here, *port);
  return port;
}

Answer<Port> Machine::bind_virq(HandleId handle, std::uint32_t virq) {
  const DomainId self = handles_.at(handle).domain;
  Domain& domain = domains_.at(self);
  if (virq >= NR_VIRQS) return tl::unexpected(EINVAL);
  if (domain.virqs.contains(virq)) return tl::unexpected(EEXIST);
  const auto port = allocate_port(handle, self);
  if (!port) return port;
  domain.channels[*port].remote_port = virq;
  domain.virqs.emplace(virq, *port);
  set_state(domain, *port, PortState::virq);
  return port;
}

Answer<void> Machine::unbind(HandleId handle, Port port) {
  if (port >= port_count) return tl::unexpected(EINVAL);
  if (own_channel(handle, port) == nullptr) return tl::unexpected(ENOTCONN);
  Handle& h = handles_.at(handle);
  h.ports.erase(port);
  disown(h.domain, port);
  return {};
}

Answer<void> Machine::restrict(HandleId handle, DomainId domain) {
  Handle& h = handles_.at(handle);
  if (h.restricted_to) return tl::unexpected(EACCES);
  h.restricted_to = domain;
  return {};
}

Answer<Machine::Peer> Machine::peer(HandleId handle, Port port) const {
  const Handle& h = handles_.at(handle);
  if (!h.ports.contains(port)) return tl::unexpected(ENOTCONN);
  const Domain& domain = domains_.at(h.domain);
  const Channel& channel = domain.channels[port];
  Peer peer{.tag = domain.memory.tag(port).load()};
  if (channel.state != PortState::interdomain) return peer;
  peer.domain = channel.remote;
  peer.port = channel.remote_port;
  peer.owner = domains_.at(peer.domain).channels[peer.port].owner;
  return peer;
}

// The same as a process does with xenevtchn_notify, for the server's own events.
void Machine::send(DomainId domain, Port port) {
  const Channel& channel = domains_.at(domain).channels[port];
  if (channel.state == PortState::interdomain)
    raise(domains_.at(channel.remote), channel.remote_port);
}

void Machine::raise(Domain& domain, Port port) {
  const bool was_pending =
      domain.memory.pending(word_of(port)).fetch_or(bit_of(port)) & bit_of(port);
  const bool masked = domain.memory.mask(word_of(port)).load() & bit_of(port);
  if (const HandleId owner = domain.channels[port].owner; owner != 0 && !was_pending && !masked)
    host_.wake(owner);
}

// The handle lets go of the port. It stays for as long as an unmap notification is to be sent
// through it: a process that dies closes its handles in any order.
void Machine::disown(DomainId domain, Port port) {
  Channel& channel = domains_.at(domain).channels[port];
  channel.owner = 0;
  if (channel.holds == 0) free_port(domain, port);
}

void Machine::free_port(DomainId id, Port port) {
  Domain& domain = domains_.at(id);
  const Channel& channel = domain.channels[port];
  if (channel.state == PortState::virq) domain.virqs.erase(channel.remote_port);
  if (channel.state == PortState::interdomain) {
    // Back to unbound for the same domain, so that a restarted backend can bind it again.
    Domain& there = domains_.at(channel.remote);
    set_state(there, channel.remote_port, PortState::unbound);
    // The process may have died between setting the pending bit and writing the eventfd.
    if (const HandleId owner = there.channels[channel.remote_port].owner; owner != 0)
      host_.wake(owner);
  }
  set_state(domain, port, PortState::free);
  domain.memory.pending(word_of(port)).fetch_and(~bit_of(port));
  domain.ports.give_back(port);
  --domain.counts.ports;
}

}  // namespace ringback::hypervisor::embedded
