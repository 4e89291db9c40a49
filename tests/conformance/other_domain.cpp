// What needs a second domain: CONFORMANCE_PEER is the command that starts programs there.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "conformance.hpp"

namespace conformance {

namespace {

// From pages of theirs (which begin with 2 and 3) and one of ours, by turns.
bool copies_by_turns(xengnttab_handle* mapper, std::uint16_t there, std::uint32_t second,
                     std::uint32_t third) {
  const auto here = static_cast<std::uint16_t>(own_domain());
  xengntshr_handle* const sharer = xengntshr_open(nullptr, 0);
  std::uint32_t own = 0;
  void* const page = xengntshr_share_pages(sharer, here, 1, &own, 0);
  if (page == nullptr) return false;
  std::memset(page, 9, page_size);
  unsigned char values[6] = {};
  xengnttab_grant_copy_segment_t segments[6] = {};
  for (std::size_t i = 0; i < 6; ++i) {
    const bool ours = i % 2 == 1;
    segments[i].source.foreign = {ours ? own : (i == 2 ? third : second), 0, ours ? here : there};
    segments[i].dest.virt = &values[i];
    segments[i].len = 1;
    segments[i].flags = GNTCOPY_source_gref;
  }
  const bool called = xengnttab_grant_copy(mapper, 6, segments) == 0;
  xengntshr_unshare(sharer, page, 1);
  xengntshr_close(sharer);
  constexpr unsigned char expected[] = {2, 9, 3, 9, 2, 9};
  return called && std::ranges::equal(values, expected) &&
         std::ranges::all_of(segments, [](auto& segment) { return segment.status == GNTST_okay; });
}

}  // namespace

void check_other_domain(const std::string& prefix) {
  const std::uint32_t domain = own_domain();
  Peer peer(prefix);
  const auto there_is = peer.tell("domain");
  claim("the peer is in another domain", there_is.size() == 1 && there_is[0] != domain);
  if (there_is.size() != 1) return;
  const auto there = static_cast<std::uint32_t>(there_is[0]);
  const std::string here = " " + std::to_string(domain);

  xenevtchn_handle* const events = xenevtchn_open(nullptr, 0);
  const auto waiting = peer.tell("wait" + here);
  const int joined = waiting.empty() ? -1
                                     : xenevtchn_bind_interdomain(
                                           events, there, static_cast<evtchn_port_t>(waiting[0]));
  const auto port = static_cast<evtchn_port_t>(joined);
  claim("a port of another domain can be joined", joined > 0);
  claim("and is pending here", next_event(events) == joined);
  xenevtchn_unmask(events, port);
  xenevtchn_notify(events, port);
  claim("an event reaches the other domain", peer.tell("event") == waiting);
  peer.tell("notify " + std::to_string(waiting.empty() ? 0 : waiting[0]) + " 0");
  claim("and one comes back", next_event(events) == joined);
  xenevtchn_unmask(events, port);

  xengnttab_handle* const mapper = xengnttab_open(nullptr, 0);
  const auto numbers = peer.tell("share" + here + " 3 1");
  std::vector<std::uint32_t> refs(numbers.begin(), numbers.end());
  auto* const mapped = static_cast<unsigned char*>(xengnttab_map_domain_grant_refs(
      mapper, static_cast<std::uint32_t>(refs.size()), there, refs.data(), PROT_READ | PROT_WRITE));
  claim("pages of another domain can be mapped",
        mapped != nullptr && mapped[0] == 1 && mapped[2 * page_size] == 3);
  if (mapped == nullptr) return;
  mapped[5] = 0x42;
  claim("and written", peer.tell("byte 5") == std::vector<std::int64_t>{0x42});

  unsigned char value = 0;
  xengnttab_grant_copy_segment_t segment{};
  segment.source.foreign = {refs[1], 0, static_cast<std::uint16_t>(there)};
  segment.dest.virt = &value;
  segment.len = 1;
  segment.flags = GNTCOPY_source_gref;
  claim("and copied", xengnttab_grant_copy(mapper, 1, &segment) == 0 &&
                          segment.status == GNTST_okay && value == 2);
  claim("a batch that turns from one domain to the other has what is whose",
        copies_by_turns(mapper, static_cast<std::uint16_t>(there), refs[1], refs[2]));

  peer.kill();
  claim("what was mapped stays when its domain dies", mapped[5] == 0x42);
  claim("a notification to a dead domain is dropped", xenevtchn_notify(events, port) == 0);
  xengnttab_unmap(mapper, mapped, 3);
  xengnttab_close(mapper);
  xenevtchn_close(events);
}

}  // namespace conformance
