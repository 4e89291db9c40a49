#include <algorithm>
#include <cstring>

#include "conformance.hpp"

namespace conformance {

namespace {

using Segment = xengnttab_grant_copy_segment_t;

struct Grant {
  std::uint16_t domain;
  std::uint32_t ref;
  std::uint16_t offset = 0;
};

Segment from_grant(Grant grant, void* to, std::uint16_t size) {
  Segment segment{};
  segment.source.foreign = {grant.ref, grant.offset, grant.domain};
  segment.dest.virt = to;
  segment.len = size;
  segment.flags = GNTCOPY_source_gref;
  return segment;
}

Segment to_grant(void* from, Grant grant, std::uint16_t size) {
  Segment segment{};
  segment.source.virt = from;
  segment.dest.foreign = {grant.ref, grant.offset, grant.domain};
  segment.len = size;
  segment.flags = GNTCOPY_dest_gref;
  return segment;
}

Segment between(Grant from, Grant to, std::uint16_t size) {
  Segment segment = to_grant(nullptr, to, size);
  segment.source.foreign = {from.ref, from.offset, from.domain};
  segment.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
  return segment;
}

bool copied(xengnttab_handle* mapper, Segment segment) {
  segment.status = 1;
  return xengnttab_grant_copy(mapper, 1, &segment) == 0 && segment.status == GNTST_okay;
}

// Either the segment has an error, or the whole call does (Linux looks at the bounds before it asks
// Xen).
bool refused(xengnttab_handle* mapper, Segment segment) {
  segment.status = 1;
  return xengnttab_grant_copy(mapper, 1, &segment) != 0 || segment.status < 0;
}

}  // namespace

void check_copies() {
  const auto domain = static_cast<std::uint16_t>(own_domain());
  xengntshr_handle* const sharer = xengntshr_open(nullptr, 0);
  xengnttab_handle* const mapper = xengnttab_open(nullptr, 0);
  std::uint32_t refs[2];
  std::uint32_t fixed;
  auto* const a = static_cast<unsigned char*>(xengntshr_share_pages(sharer, domain, 2, refs, 1));
  auto* const read_only =
      static_cast<unsigned char*>(xengntshr_share_pages(sharer, domain, 1, &fixed, 0));
  if (a == nullptr || read_only == nullptr) return claim("pages can be shared to copy", false);
  auto* const b = a + page_size;
  std::memset(a, 0xa1, page_size);
  std::memset(read_only, 0xc3, page_size);
  std::vector<unsigned char> local(2 * page_size, 0);

  claim("a copy reads a grant", copied(mapper, from_grant({domain, refs[0], 100}, &local[3], 50)) &&
                                    local[2] == 0 && local[3] == 0xa1 && local[52] == 0xa1 &&
                                    local[53] == 0);
  std::fill(local.begin(), local.end(), 0xb2);
  claim("a copy writes a grant",
        copied(mapper, to_grant(local.data(), {domain, refs[1], 4000}, 96)) && b[3999] == 0 &&
            b[4000] == 0xb2 && b[4095] == 0xb2);
  claim("local memory may cross a page",
        copied(mapper, to_grant(&local[page_size - 10], {domain, refs[1]}, 20)) && b[0] == 0xb2 &&
            b[19] == 0xb2);
  claim("a copy goes from grant to grant",
        copied(mapper, between({domain, refs[0], 0}, {domain, refs[1], 1000}, 200)) &&
            b[999] == 0 && b[1000] == 0xa1 && b[1199] == 0xa1 && b[1200] == 0);
  claim("a whole page can be copied",
        copied(mapper, from_grant({domain, fixed}, local.data(), page_size)) && local[0] == 0xc3 &&
            local[page_size - 1] == 0xc3);

  claim("a copy into a read-only grant is refused",
        refused(mapper, to_grant(local.data(), {domain, fixed}, 8)));
  claim("a copy that crosses its grant's page is refused",
        refused(mapper, from_grant({domain, refs[0], 4090}, local.data(), 7)) &&
            refused(mapper, to_grant(local.data(), {domain, refs[0], 1}, page_size)));
  claim("a ref that is out of range is refused",
        refused(mapper, from_grant({domain, 4000000}, local.data(), 8)));
  claim("a domain that is not there is refused",
        refused(mapper, from_grant({32000, refs[0]}, local.data(), 8)));

  Segment batch[] = {from_grant({domain, refs[0]}, local.data(), 8),
                     to_grant(local.data(), {domain, fixed}, 8),
                     from_grant({domain, refs[1]}, local.data() + 8, 8)};
  claim("each segment of a batch has its own status",
        xengnttab_grant_copy(mapper, 3, batch) == 0 && batch[0].status == GNTST_okay &&
            batch[1].status < 0 && batch[2].status == GNTST_okay && local[8] == 0xb2);
  claim("a refused copy has written nothing", read_only[0] == 0xc3);

  xengntshr_unshare(sharer, a, 2);
  claim("an ended grant can't be copied",
        refused(mapper, from_grant({domain, refs[0]}, local.data(), 8)));
  xengntshr_unshare(sharer, read_only, 1);
  xengnttab_close(mapper);
  xengntshr_close(sharer);
}

}  // namespace conformance
