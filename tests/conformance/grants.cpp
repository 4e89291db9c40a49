#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "conformance.hpp"

namespace conformance {

namespace {

constexpr int both = PROT_READ | PROT_WRITE;

struct Handles {
  xengntshr_handle* sharer = xengntshr_open(nullptr, 0);
  xengnttab_handle* mapper = xengnttab_open(nullptr, 0);
  ~Handles() {
    if (mapper != nullptr) xengnttab_close(mapper);
    if (sharer != nullptr) xengntshr_close(sharer);
  }
  bool open() const { return sharer != nullptr && mapper != nullptr; }
};

void map_and_unmap(const Handles& h, std::uint32_t domain) {
  constexpr std::uint32_t count = 5;
  std::uint32_t refs[count];
  auto* const shared =
      static_cast<unsigned char*>(xengntshr_share_pages(h.sharer, domain, count, refs, 1));
  claim("pages can be shared", shared != nullptr);
  if (shared == nullptr) return;
  claim("shared pages are zeroed",
        std::all_of(shared, shared + count * page_size, [](auto byte) { return byte == 0; }));
  for (std::uint32_t i = 0; i < count; ++i)
    std::memset(shared + i * page_size, static_cast<int>(i + 1), page_size);

  std::reverse(refs, refs + count);
  auto* const mapped = static_cast<unsigned char*>(
      xengnttab_map_domain_grant_refs(h.mapper, count, domain, refs, both));
  claim("refs in any order are mapped next to each other",
        mapped != nullptr && mapped[0] == count && mapped[count * page_size - 1] == 1);
  if (mapped == nullptr) return;
  mapped[7] = 0x77;
  claim("what the mapper writes the sharer sees", shared[(count - 1) * page_size + 7] == 0x77);

  std::uint32_t domains[] = {domain, domain};
  void* const second = xengnttab_map_grant_refs(h.mapper, 2, domains, refs, PROT_READ);
  claim("a page can be mapped more than once", second != nullptr);
  claim("the mappings can be unmapped", second != nullptr &&
                                            xengnttab_unmap(h.mapper, second, 2) == 0 &&
                                            xengnttab_unmap(h.mapper, mapped, count) == 0);
  claim("the pages can be unshared", xengntshr_unshare(h.sharer, shared, count) == 0);
  claim("an ended grant can't be mapped",
        xengnttab_map_grant_ref(h.mapper, domain, refs[0], both) == nullptr);
}

void refuse(const Handles& h, std::uint32_t domain) {
  std::uint32_t refs[2];
  void* const shared = xengntshr_share_pages(h.sharer, domain, 1, refs, 0);
  if (shared == nullptr) return;
  claim("a read-only grant can't be mapped for writing",
        xengnttab_map_grant_ref(h.mapper, domain, refs[0], both) == nullptr);
  void* const mapped = xengnttab_map_grant_ref(h.mapper, domain, refs[0], PROT_READ);
  claim("a read-only grant can be mapped for reading", mapped != nullptr);
  if (mapped != nullptr) xengnttab_unmap(h.mapper, mapped, 1);
  refs[1] = 4000000;
  claim("a ref that is out of range can't be mapped",
        xengnttab_map_grant_ref(h.mapper, domain, refs[1], PROT_READ) == nullptr);
  claim("if one ref is bad nothing is mapped",
        xengnttab_map_domain_grant_refs(h.mapper, 2, domain, refs, PROT_READ) == nullptr);
  claim("a ref of a domain that is not there can't be mapped",
        xengnttab_map_grant_ref(h.mapper, 32000, refs[0], PROT_READ) == nullptr);
  xengntshr_unshare(h.sharer, shared, 1);

  void* const others = xengntshr_share_pages(h.sharer, 32000, 1, refs, 1);
  claim("a page granted to another domain can't be mapped",
        others != nullptr &&
            xengnttab_map_grant_ref(h.mapper, domain, refs[0], PROT_READ) == nullptr);
  if (others != nullptr) xengntshr_unshare(h.sharer, others, 1);
}

void end_while_mapped(const Handles& h, std::uint32_t domain) {
  std::uint32_t ref;
  auto* const shared =
      static_cast<unsigned char*>(xengntshr_share_pages(h.sharer, domain, 1, &ref, 1));
  if (shared == nullptr) return;
  shared[0] = 0x5a;
  auto* const mapped =
      static_cast<unsigned char*>(xengnttab_map_grant_ref(h.mapper, domain, ref, both));
  if (mapped == nullptr) return;
  xengntshr_unshare(h.sharer, shared, 1);
  std::uint32_t other;
  void* const next = xengntshr_share_pages(h.sharer, domain, 1, &other, 1);
  std::memset(next, 0x11, page_size);
  claim("a page that is mapped stays when its grant ends", mapped[0] == 0x5a && other != ref);
  xengnttab_unmap(h.mapper, mapped, 1);
  xengntshr_unshare(h.sharer, next, 1);
}

void repeat(const Handles& h, std::uint32_t domain) {
  bool all = true;
  std::uint32_t highest = 0;
  for (int i = 0; i < 10000 && all; ++i) {
    std::uint32_t ref;
    void* const shared = xengntshr_share_pages(h.sharer, domain, 1, &ref, 1);
    all = shared != nullptr && *static_cast<unsigned char*>(shared) == 0;
    if (!all) break;
    highest = std::max(highest, ref);
    *static_cast<unsigned char*>(shared) = 1;
    if (i % 10 == 0) {
      void* const mapped = xengnttab_map_grant_ref(h.mapper, domain, ref, both);
      all = mapped != nullptr && xengnttab_unmap(h.mapper, mapped, 1) == 0;
    }
    all = all && xengntshr_unshare(h.sharer, shared, 1) == 0;
  }
  claim("10000 pages can be shared and unshared one after the other", all);
  claim("and refs are used again", highest < 5000);
}

}  // namespace

void check_mappings() {
  const std::uint32_t domain = own_domain();
  const Handles handles;
  claim("grants can be opened", handles.open());
  if (!handles.open()) return;
  map_and_unmap(handles, domain);
  refuse(handles, domain);
  end_while_mapped(handles, domain);
  repeat(handles, domain);
}

}  // namespace conformance
