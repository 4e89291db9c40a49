// The handles on grants: what xengntshr_open and xengnttab_open give. A page shared or mapped is a
// call to the server; copies work on the domains' memories.
#pragma once

#include <sys/mman.h>

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "hypervisor/embedded/client.hpp"
#include "hypervisor/embedded/page_window.hpp"
#include "hypervisor/embedded/shared_memory.hpp"
#include "hypervisor/embedded/xen.hpp"

extern "C" {
#include <xengnttab.h>
}

namespace ringback::hypervisor::embedded {

struct Notify {
  std::uint32_t offset = none;
  std::uint32_t port = none;
};

// Both may be called from any thread.
class GrantSharerHandle {
 public:
  static Answer<std::unique_ptr<GrantSharerHandle>> open();
  int fd() const { return client_.fd(); }
  // refs: one for each page wanted, filled in.
  Answer<std::byte*> share(std::uint32_t with, std::span<GrantRef> refs, bool writable,
                           Notify notify = {});
  Answer<void> unshare(void* pages, std::size_t count);

 private:
  struct Shared {
    PageWindow window;
    std::vector<std::uint64_t> ids;
  };
  explicit GrantSharerHandle(Client client) : client_(std::move(client)) {}
  Answer<void> share_into(Shared& shared, std::uint32_t with, std::span<GrantRef> refs,
                          bool writable, Notify notify);
  void end(Shared shared);

  std::mutex mutex_;
  Client client_;  // outlives the windows: pages are used again only when nobody sees them here
  std::map<void*, Shared> shared_;
};

class GrantMapperHandle {
 public:
  static Answer<std::unique_ptr<GrantMapperHandle>> open();
  int fd() const { return client_.fd(); }

  // domains: one for each ref.
  Answer<std::byte*> map(std::span<const std::uint32_t> domains, std::span<const GrantRef> refs,
                         int protection, Notify notify = {});
  Answer<void> unmap(void* pages, std::size_t count);
  // Fills in every segment's status.
  void copy(std::span<xengnttab_grant_copy_segment_t> segments);

 private:
  struct Mapped {
    PageWindow window;
    std::vector<std::uint64_t> ids;
  };
  // A domain's whole memory, for copies.
  struct Granter {
    SharedMemory mapped;
    DomainMemory memory;
  };
  // Whose pages the copies of a batch were from last, or went to.
  struct Side {
    std::uint32_t domain = none;
    DomainMemory memory;
  };
  struct Place {
    std::byte* bytes;
    std::int16_t status;
  };

  GrantMapperHandle(Client client, DomainId self, SharedMemory epoch);
  Answer<void> map_into(Mapped& mapped, std::span<const std::uint32_t> domains,
                        std::span<const GrantRef> refs, int protection, Notify notify);
  void end(Mapped mapped);
  void drop_dead_granters();

  std::int16_t copy(const xengnttab_grant_copy_segment_t& segment, Side& source, Side& destination);
  Place find(Side& side, DomainId domain, GrantRef ref, std::uint16_t offset, std::uint16_t size,
             bool write);
  std::int16_t turn_to(Side& side, DomainId domain);
  std::int16_t find_granter(DomainId domain);

  std::mutex mutex_;
  Client client_;
  DomainId self_;
  SharedMemory epoch_;
  std::map<void*, Mapped> mapped_;
  std::vector<std::unique_ptr<Granter>> granters_;  // by domid
  std::vector<std::unique_ptr<Granter>> gone_;      // a copy of this batch may be in their memory
};

}  // namespace ringback::hypervisor::embedded
