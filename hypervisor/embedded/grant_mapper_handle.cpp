#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hypervisor/embedded/grant_handles.hpp"

namespace ringback::hypervisor::embedded {

Answer<std::unique_ptr<GrantMapperHandle>> GrantMapperHandle::open() {
  auto opened = Client::open(Call::open_mapper, true);
  if (!opened) return tl::unexpected(opened.error());
  if (opened->reply.descriptors.size() != 1) return tl::unexpected(EPROTO);
  auto epoch = SharedMemory::map(opened->reply.descriptors.front().get(), page_size);
  if (!epoch) return tl::unexpected(epoch.error());
  const auto self = static_cast<DomainId>(opened->reply.header.value);
  return std::unique_ptr<GrantMapperHandle>(
      new GrantMapperHandle(std::move(opened->client), self, std::move(*epoch)));
}

GrantMapperHandle::GrantMapperHandle(Client client, DomainId self, SharedMemory epoch)
    : client_(std::move(client)), self_(self), epoch_(std::move(epoch)) {}

// --- mapping ---

Answer<std::byte*> GrantMapperHandle::map(std::span<const std::uint32_t> domains,
                                          std::span<const GrantRef> refs, int protection,
                                          Notify notify) {
  if (refs.empty()) return tl::unexpected(EINVAL);
  const std::lock_guard lock(mutex_);
  drop_dead_granters();
  auto window = PageWindow::reserve(refs.size());
  if (!window) return tl::unexpected(window.error());
  Mapped mapped{std::move(*window), {}};
  const auto done = map_into(mapped, domains, refs, protection, notify);
  if (!done) {
    end(std::move(mapped));
    return tl::unexpected(done.error());
  }
  std::byte* const base = mapped.window.base();
  mapped_.emplace(base, std::move(mapped));
  return base;
}

// One call for as many refs of one domain as follow each other.
Answer<void> GrantMapperHandle::map_into(Mapped& mapped, std::span<const std::uint32_t> domains,
                                         std::span<const GrantRef> refs, int protection,
                                         Notify notify) {
  for (std::size_t at = 0; at < refs.size();) {
    std::size_t count = 1;
    while (at + count < refs.size() && count < max_words && domains[at + count] == domains[at])
      ++count;
    const auto wanted = refs.subspan(at, count);
    const auto reply = client_.call({.call = Call::map,
                                     .domain = domains[at],
                                     .writable = (protection & PROT_WRITE) != 0,
                                     .notify_offset = notify.offset,
                                     .notify_port = notify.port},
                                    wanted);
    if (!reply) return tl::unexpected(reply.error());
    mapped.ids.push_back(reply->header.id);
    if (reply->descriptors.empty()) return tl::unexpected(EMFILE);
    const auto shown = mapped.window.show(at, reply->descriptors.front().get(), reply->header.pages,
                                          wanted, protection);
    if (!shown) return shown;
    at += count;
  }
  return {};
}

Answer<void> GrantMapperHandle::unmap(void* pages, std::size_t count) {
  const std::lock_guard lock(mutex_);
  drop_dead_granters();
  const auto found = mapped_.find(pages);
  if (found == mapped_.end() || found->second.window.pages() != count)
    return tl::unexpected(EINVAL);
  end(std::move(mapped_.extract(found).mapped()));
  return {};
}

void GrantMapperHandle::end(Mapped mapped) {
  const std::vector<std::uint64_t> ids = std::move(mapped.ids);
  { const PageWindow closed = std::move(mapped.window); }
  for (const std::uint64_t id : ids) client_.call({.call = Call::unmap, .id = id});
}

// A dead domain's memory is held by nobody but us.
void GrantMapperHandle::drop_dead_granters() {
  for (auto& granter : granters_)
    if (granter && !granter->memory.alive()) granter.reset();
}

// --- copies ---

void GrantMapperHandle::copy(std::span<xengnttab_grant_copy_segment_t> segments) {
  const std::lock_guard lock(mutex_);
  const std::atomic_ref epoch(*reinterpret_cast<std::uint64_t*>(epoch_.base()));
  const std::uint64_t even = epoch.load(std::memory_order_relaxed);
  // Before any entry is read: whoever revokes one after that sees this batch (Machine::retire).
  epoch.exchange(even + 1, std::memory_order_seq_cst);
  struct Batch {
    std::atomic_ref<std::uint64_t> counter;
    std::uint64_t after;
    ~Batch() { counter.store(after, std::memory_order_release); }
  } const batch{epoch, even + 2};  // also when there is no memory to map a granter
  // Mostly one domain after the other is the same one.
  Side source, destination;
  for (auto& segment : segments) segment.status = copy(segment, source, destination);
  gone_.clear();
}

inline std::int16_t GrantMapperHandle::copy(const xengnttab_grant_copy_segment_t& segment,
                                            Side& source, Side& destination) {
  const bool from_grant = (segment.flags & GNTCOPY_source_gref) != 0;
  const bool to_grant = (segment.flags & GNTCOPY_dest_gref) != 0;
  if (!from_grant && !to_grant) return GNTST_bad_copy_arg;
  if (segment.len == 0) return GNTST_okay;  // as Linux: the grant is not looked at
  const void* from = segment.source.virt;
  void* to = segment.dest.virt;
  if (from_grant) {
    const auto& end = segment.source.foreign;
    const Place place = find(source, end.domid, end.ref, end.offset, segment.len, false);
    if (place.status != GNTST_okay) return place.status;
    from = place.bytes;
  }
  if (to_grant) {
    const auto& end = segment.dest.foreign;
    const Place place = find(destination, end.domid, end.ref, end.offset, segment.len, true);
    if (place.status != GNTST_okay) return place.status;
    to = place.bytes;
  }
  std::memmove(to, from, segment.len);
  return GNTST_okay;
}

inline GrantMapperHandle::Place GrantMapperHandle::find(Side& side, DomainId domain, GrantRef ref,
                                                        std::uint16_t offset, std::uint16_t size,
                                                        bool write) {
  if (std::size_t{offset} + size > page_size) return {nullptr, GNTST_bad_copy_arg};
  if (side.domain != domain)
    if (const std::int16_t status = turn_to(side, domain); status != GNTST_okay)
      return {nullptr, status};
  const std::uint32_t page = page_of(ref);  // far too many where ref < first_ref
  if (page >= side.memory.pages()) return {nullptr, GNTST_bad_gntref};
  const GrantEntry entry = side.memory.grant(ref);
  if ((entry.flags & GTF_type_mask) != GTF_permit_access || entry.domain != self_)
    return {nullptr, GNTST_bad_gntref};
  if (write && (entry.flags & GTF_readonly) != 0) return {nullptr, GNTST_permission_denied};
  return {side.memory.page(page) + offset, GNTST_okay};
}

std::int16_t GrantMapperHandle::turn_to(Side& side, DomainId domain) {
  if (domain >= granters_.size() || !granters_[domain] || !granters_[domain]->memory.alive())
    if (const std::int16_t status = find_granter(domain); status != GNTST_okay) return status;
  side = {domain, granters_[domain]->memory};
  return GNTST_okay;
}

// Gets the domain's memory from the server, unless the domain has gone or has nothing for us.
std::int16_t GrantMapperHandle::find_granter(DomainId domain) {
  if (domain < granters_.size() && granters_[domain]) gone_.push_back(std::move(granters_[domain]));
  const auto reply = client_.call({.call = Call::copy_access, .domain = domain});
  if (!reply) return GNTST_general_error;
  if (reply->header.value == 0) return GNTST_bad_domain;
  if (reply->descriptors.empty()) return GNTST_bad_gntref;
  auto mapped =
      SharedMemory::map(reply->descriptors.front().get(), DomainMemory::size(reply->header.pages));
  if (!mapped) return GNTST_general_error;
  if (granters_.size() <= domain) granters_.resize(domain + 1u);
  const DomainMemory memory(mapped->base(), reply->header.pages);
  granters_[domain].reset(new Granter{std::move(*mapped), memory});
  return GNTST_okay;
}

}  // namespace ringback::hypervisor::embedded
