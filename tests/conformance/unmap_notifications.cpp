// A page's end is told by a byte in it that turns 0, and an event: to the sharer when a mapping
// goes, to the mapper when the sharer goes.
#include <sys/mman.h>

#include "conformance.hpp"

namespace conformance {

namespace {

constexpr int both = PROT_READ | PROT_WRITE;
constexpr std::uint32_t byte = 8;

std::string words(std::initializer_list<std::int64_t> numbers) {
  std::string text;
  for (const auto number : numbers) text += " " + std::to_string(number);
  return text;
}

std::int64_t first(const std::vector<std::int64_t>& reply) {
  return reply.empty() ? -1 : reply.front();
}

struct Here {
  std::uint32_t domain = own_domain();
  xenevtchn_handle* events = xenevtchn_open(nullptr, 0);
  xengntshr_handle* sharer = xengntshr_open(nullptr, 0);
  xengnttab_handle* mapper = xengnttab_open(nullptr, 0);
  ~Here() {
    xengnttab_close(mapper);
    xengntshr_close(sharer);
    xenevtchn_close(events);
  }
};

void by_call() {
  const Here here;
  std::uint32_t ref;
  auto* const shared =
      static_cast<unsigned char*>(xengntshr_share_pages(here.sharer, here.domain, 1, &ref, 1));
  const int waiting = xenevtchn_bind_unbound_port(here.events, here.domain);
  xenevtchn_handle* const other = xenevtchn_open(nullptr, 0);
  const int joined =
      xenevtchn_bind_interdomain(other, here.domain, static_cast<evtchn_port_t>(waiting));
  if (shared == nullptr || joined < 0) return claim("unmap notifications can be set up", false);
  shared[byte] = 1;
  void* const mapped = xengnttab_map_grant_ref_notify(here.mapper, here.domain, ref, both, byte,
                                                      static_cast<evtchn_port_t>(joined));
  claim("a page can be mapped with an unmap notification", mapped != nullptr);
  claim("nothing is told while it is mapped", quiet(here.events) && shared[byte] == 1);
  if (mapped != nullptr) xengnttab_unmap(here.mapper, mapped, 1);
  claim("an unmap zeroes the byte and sends the event",
        next_event(here.events) == waiting && shared[byte] == 0);
  void* const without =
      xengnttab_map_grant_ref_notify(here.mapper, here.domain, ref, both, page_size, UINT32_MAX);
  claim("a byte outside of the page stands for none", without != nullptr);
  if (without != nullptr) xengnttab_unmap(here.mapper, without, 1);
  xenevtchn_close(other);
  xengntshr_unshare(here.sharer, shared, 1);
}

void mapper_is_killed() {
  const Here here;
  std::uint32_t ref;
  auto* const shared =
      static_cast<unsigned char*>(xengntshr_share_pages(here.sharer, here.domain, 1, &ref, 1));
  if (shared == nullptr) return claim("a page can be shared", false);
  shared[byte] = 1;
  const int waiting = xenevtchn_bind_unbound_port(here.events, here.domain);
  Peer peer;
  const auto joined = first(peer.tell("join" + words({here.domain, waiting})));
  const auto mapped = first(peer.tell("map_notify" + words({here.domain, ref, joined})));
  claim("another process can map with an unmap notification", mapped == 1);
  peer.kill();
  claim("a mapper that is killed zeroes the byte and sends the event",
        next_event(here.events) == waiting && shared[byte] == 0);
  xengntshr_unshare(here.sharer, shared, 1);
}

void sharer_is_killed() {
  const Here here;
  const int waiting = xenevtchn_bind_unbound_port(here.events, here.domain);
  Peer peer;
  const auto joined = first(peer.tell("join" + words({here.domain, waiting})));
  const auto ref = first(peer.tell("share_notify" + words({here.domain, joined})));
  claim("another process can share with an unmap notification", ref > 0);
  auto* const mapped = static_cast<unsigned char*>(
      xengnttab_map_grant_ref(here.mapper, here.domain, static_cast<std::uint32_t>(ref), both));
  if (mapped == nullptr) return claim("and its page be mapped", false);
  claim("nothing is told while it is shared", quiet(here.events) && mapped[byte] == 1);
  peer.kill();
  claim("a sharer that is killed zeroes the byte and sends the event",
        next_event(here.events) == waiting && mapped[byte] == 0);
  xengnttab_unmap(here.mapper, mapped, 1);
}

}  // namespace

void check_unmap_notifications() {
  by_call();
  mapper_is_killed();
  sharer_is_killed();
}

}  // namespace conformance
