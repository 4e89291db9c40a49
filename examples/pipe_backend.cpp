// Domain 0's end of the pipe (pipe.hpp): prints what a guest sends. It believes nothing of what the
// guest writes.
//   ringback-hypervisor exec 0 -- pipe_backend 1 > file

#include "examples/pipe.hpp"
#include "xenstore/number.hpp"

using namespace pipe_device;
using namespace ringback;
using Ring = ring::BackRing<Request, Response>;

namespace {

std::uint32_t read_number(xenstore::Store& store, const std::string& key) {
  return need(xenstore::parse_number<std::uint32_t>(key, need(store.read(key)).value_or("")));
}

bool is_there(xenstore::Store& store, hypervisor::DomainId guest) {
  while (need(store.next_event())) {
  }
  return need(store.read(key(guest, "ring-ref"))).has_value();
}

// Copies and prints what the requests point to, in order. False: that was the end.
bool serve(Ring& ring, ring::Index count, hypervisor::GrantUser& grants,
           hypervisor::DomainId guest) {
  static char pages[window][hypervisor::page_size];
  hypervisor::Copy copies[window];
  for (ring::Index i = 0; i < count; ++i) {
    const auto [page, size] = ring.request(i);
    if (size > hypervisor::page_size) give_up("the frontend sends more than a page");
    copies[i] = make_copy(hypervisor::GrantEnd{guest, page, 0}, hypervisor::LocalEnd{pages[i]},
                          static_cast<std::uint16_t>(size));
  }
  need(grants.copy({copies, count}));  // one call for them all
  ring.consume(count);
  for (ring::Index i = 0; i < count; ++i) {
    if (copies[i].status == 0) std::cout.write(pages[i], copies[i].len);
    ring.respond({copies[i].status});
  }
  return copies[count - 1].len != 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) give_up("pipe_backend GUEST");
  const auto guest = need(xenstore::parse_number<hypervisor::DomainId>("GUEST", argv[1]));
  auto store = need(xenstore::Store::open());
  auto channels = need(hypervisor::open_event_channels());
  auto grants = need(hypervisor::open_grant_user());

  need(store.watch(key(guest, "ring-ref"), "pipe"));
  while (!is_there(store, guest)) sleep(*channels, store);
  const hypervisor::GrantRef ref[] = {read_number(store, key(guest, "ring-ref"))};
  const auto mapping = need(grants->map(guest, ref, hypervisor::Access::read_write));
  const auto port =
      need(channels->bind_interdomain(guest, read_number(store, key(guest, "event-channel"))));
  auto ring = Ring::attach(mapping.bytes());
  if (!ring) give_up("the frontend's ring is not one");

  for (bool open = true; open;) {
    const auto requests = ring->unconsumed();
    if (!requests) give_up("the frontend claims more requests than its ring has");
    if (*requests > 0) open = serve(*ring, std::min(*requests, window), *grants, guest);
    if (ring->publish()) channels->notify(port);
    if (*requests > 0 || ring->final_check()) continue;
    sleep(*channels, store);
    if (!is_there(store, guest)) give_up("the guest has gone");
  }
}
