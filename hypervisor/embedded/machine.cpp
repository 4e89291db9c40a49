#include "hypervisor/embedded/machine.hpp"

#include <cerrno>

#include "hypervisor/embedded/xen.hpp"

namespace ringback::hypervisor::embedded {

Answer<void> Machine::create_domain(DomainId domain, DomainMemory memory) {
  if (domain >= DOMID_FIRST_RESERVED) return tl::unexpected(EINVAL);
  if (exists(domain)) return tl::unexpected(EEXIST);
  memory.initialise(domain);
  domains_.emplace(domain, Domain{.id = next_id_++,
                                  .memory = memory,
                                  .pages = NumberPool(0, memory.pages()),
                                  .counts = {.domain = domain}});
  return {};
}

void Machine::destroy_domain(DomainId domain) {
  const auto found = domains_.find(domain);
  if (found == domains_.end()) return;
  while (!found->second.handles.empty()) close(*found->second.handles.begin());
  found->second.memory.die();
  std::erase_if(retired_, [&](const Retired& r) { return r.domain_id == found->second.id; });
  domains_.erase(found);

  // Xen tells dom0 of a domain's end this way.
  if (const auto dom0 = domains_.find(0); dom0 != domains_.end())
    if (const auto virq = dom0->second.virqs.find(VIRQ_DOM_EXC); virq != dom0->second.virqs.end())
      raise(dom0->second, virq->second);
}

Machine::Domain* Machine::find(DomainId domain, std::uint64_t id) {
  const auto found = domains_.find(domain);
  return found != domains_.end() && found->second.id == id ? &found->second : nullptr;
}

DomainCounts Machine::counts(DomainId domain) const {
  DomainCounts counts = domains_.at(domain).counts;
  counts.handles = static_cast<std::uint32_t>(domains_.at(domain).handles.size());
  return counts;
}

HandleId Machine::open(DomainId domain, std::uint64_t* epoch) {
  const HandleId handle = next_id_++;
  handles_.emplace(handle, Handle{.domain = domain, .epoch = epoch});
  domains_.at(domain).handles.insert(handle);
  return handle;
}

void Machine::close(HandleId handle) {
  const auto found = handles_.find(handle);
  if (found == handles_.end()) return;
  Handle& h = found->second;
  while (!h.mappings.empty()) unmap(handle, h.mappings.begin()->first);
  while (!h.shares.empty()) unshare(handle, h.shares.begin()->first);
  while (!h.ports.empty()) unbind(handle, *h.ports.begin());
  domains_.at(h.domain).handles.erase(handle);
  handles_.erase(found);
}

}  // namespace ringback::hypervisor::embedded
