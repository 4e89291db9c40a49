// Grants, as Linux's gntalloc and gntdev devices give them to programs.
#include <algorithm>
#include <cerrno>

#include "hypervisor/embedded/machine.hpp"
#include "hypervisor/embedded/xen.hpp"

namespace ringback::hypervisor::embedded {

// Checks the notification, and keeps its port from going away.
bool Machine::hold(DomainId domain, const UnmapNotification& notification) {
  if (notification.offset && *notification.offset >= page_size) return false;
  if (!notification.port) return true;
  auto& channels = domains_.at(domain).channels;
  const Port port = *notification.port;
  if (port >= channels.size() || channels[port].owner == 0) return false;
  ++channels[port].holds;
  return true;
}

void Machine::fire(DomainId domain, const UnmapNotification& notification, std::byte* page) {
  if (notification.offset && page != nullptr)
    std::atomic_ref(page[*notification.offset]).store(std::byte{0});
  if (!notification.port) return;
  const Port port = *notification.port;
  send(domain, port);
  Channel& channel = domains_.at(domain).channels[port];
  if (--channel.holds == 0 && channel.owner == 0) free_port(domain, port);
}

// Writes the entry that processes see.
void Machine::publish(Domain& domain, GrantRef ref) {
  const Grant& grant = domain.grants[page_of(ref)];
  GrantEntry entry{.domain = grant.to, .frame = page_of(ref)};
  unsigned flags = grant.granted ? GTF_permit_access : GTF_invalid;
  if (!grant.writable) flags |= GTF_readonly;
  if (grant.readers + grant.writers > 0) flags |= GTF_reading;
  if (grant.writers > 0) flags |= GTF_writing;
  entry.flags = static_cast<std::uint16_t>(flags);
  domain.memory.set_grant(ref, entry);
}

Answer<Machine::Share> Machine::share(HandleId handle, DomainId with, std::uint32_t count,
                                      bool writable, UnmapNotification notification) {
  Handle& h = handles_.at(handle);
  Domain& domain = domains_.at(h.domain);
  if (count == 0) return tl::unexpected(EINVAL);
  if (domain.pages.available() < count) return tl::unexpected(ENOSPC);
  if (!hold(h.domain, notification)) return tl::unexpected(EINVAL);

  Share share{next_id_++, {}};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t page = domain.pages.take();
    if (domain.grants.size() <= page) domain.grants.resize(page + 1);
    domain.grants[page] = {.granted = true, .to = with, .writable = writable};
    publish(domain, ref_of(page));
    share.refs.push_back(ref_of(page));
  }
  domain.granted_to[with] += count;
  domain.counts.grants += count;
  domain.counts.pages += count;
  h.shares.emplace(share.id, ShareRecord{share.refs, notification});
  return share;
}

Answer<void> Machine::unshare(HandleId handle, std::uint64_t share) {
  Handle& h = handles_.at(handle);
  auto record = h.shares.extract(share);
  if (record.empty()) return tl::unexpected(ENOENT);
  end_share(h.domain, record.mapped());
  return {};
}

void Machine::end_share(DomainId id, const ShareRecord& share) {
  Domain& domain = domains_.at(id);
  fire(id, share.notification, domain.memory.page(page_of(share.refs.front())));
  std::vector<std::uint32_t> unused;
  for (const GrantRef ref : share.refs) {
    Grant& grant = domain.grants[page_of(ref)];
    grant.granted = false;
    publish(domain, ref);
    if (--domain.granted_to[grant.to] == 0) domain.granted_to.erase(grant.to);
    if (grant.readers + grant.writers == 0) unused.push_back(page_of(ref));
  }
  retire(id, std::move(unused));
}

Answer<std::uint64_t> Machine::map(HandleId handle, DomainId granter,
                                   std::span<const GrantRef> refs, bool writable,
                                   UnmapNotification notification) {
  Handle& h = handles_.at(handle);
  const auto found = domains_.find(granter);
  if (refs.empty() || found == domains_.end()) return tl::unexpected(EINVAL);
  Domain& there = found->second;
  const bool granted = std::ranges::all_of(refs, [&](GrantRef ref) {
    if (ref < first_ref || page_of(ref) >= there.grants.size()) return false;
    const Grant& grant = there.grants[page_of(ref)];
    return grant.granted && grant.to == h.domain && (grant.writable || !writable);
  });
  // As gntdev: a byte can't be cleared through a read-only mapping.
  if (!granted || (notification.offset && !writable)) return tl::unexpected(EINVAL);
  if (!hold(h.domain, notification)) return tl::unexpected(EINVAL);

  for (const GrantRef ref : refs) {
    Grant& grant = there.grants[page_of(ref)];
    ++(writable ? grant.writers : grant.readers);
    publish(there, ref);
  }
  domains_.at(h.domain).counts.mappings += static_cast<std::uint32_t>(refs.size());
  const std::uint64_t id = next_id_++;
  h.mappings.emplace(
      id, MapRecord{granter, there.id, {refs.begin(), refs.end()}, writable, notification});
  return id;
}

Answer<void> Machine::unmap(HandleId handle, std::uint64_t mapping) {
  Handle& h = handles_.at(handle);
  auto record = h.mappings.extract(mapping);
  if (record.empty()) return tl::unexpected(ENOENT);
  end_mapping(h.domain, record.mapped());
  return {};
}

void Machine::end_mapping(DomainId mapper, const MapRecord& mapping) {
  domains_.at(mapper).counts.mappings -= static_cast<std::uint32_t>(mapping.refs.size());
  Domain* const there = find(mapping.granter, mapping.granter_id);
  fire(mapper, mapping.notification,
       there != nullptr ? there->memory.page(page_of(mapping.refs.front())) : nullptr);
  if (there == nullptr) return;
  std::vector<std::uint32_t> unused;
  for (const GrantRef ref : mapping.refs) {
    Grant& grant = there->grants[page_of(ref)];
    --(mapping.writable ? grant.writers : grant.readers);
    publish(*there, ref);
    if (!grant.granted && grant.readers + grant.writers == 0) unused.push_back(page_of(ref));
  }
  retire(mapping.granter, std::move(unused));
}

bool Machine::may_copy(DomainId domain, DomainId granter) const {
  const auto found = domains_.find(granter);
  return found != domains_.end() && (domain == 0 || found->second.granted_to.contains(domain));
}

// Revoked pages, that nobody has mapped. A copy that checked an entry before it was revoked may
// still be under way: the pages wait for the epochs that are odd now to move on. The entry's store
// and the epoch's load are seq_cst, as are the epoch's store and the entry's load on the other
// side, so that one of them sees the other.
void Machine::retire(DomainId domain, std::vector<std::uint32_t> pages) {
  if (pages.empty()) return;
  domains_.at(domain).counts.grants -= static_cast<std::uint32_t>(pages.size());
  Retired retired{domain, domains_.at(domain).id, std::move(pages), {}};
  for (const auto& [id, handle] : handles_) {
    if (handle.epoch == nullptr) continue;
    const std::uint64_t epoch = std::atomic_ref(*handle.epoch).load();
    if (epoch % 2 == 1) retired.copiers.emplace(id, epoch);
  }
  if (retired.copiers.empty())
    reuse(retired);
  else
    retired_.push_back(std::move(retired));
}

bool Machine::copying(const Retired& retired) const {
  return std::ranges::any_of(retired.copiers, [&](const auto& copier) {
    const auto found = handles_.find(copier.first);
    return found != handles_.end() && std::atomic_ref(*found->second.epoch).load() == copier.second;
  });
}

bool Machine::settle() {
  std::erase_if(retired_, [&](const Retired& retired) {
    if (copying(retired)) return false;
    reuse(retired);
    return true;
  });
  return !retired_.empty();
}

void Machine::reuse(const Retired& retired) {
  Domain& domain = domains_.at(retired.domain);
  for (std::size_t i = 0; i < retired.pages.size();) {
    const std::uint32_t first = retired.pages[i];
    std::uint32_t count = 0;
    for (; i < retired.pages.size() && retired.pages[i] == first + count; ++i, ++count)
      domain.pages.give_back(first + count);
    host_.discard(retired.domain, first, count);
    domain.counts.pages -= count;
  }
}

}  // namespace ringback::hypervisor::embedded
