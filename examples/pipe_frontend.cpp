// The guest's end of the pipe (pipe.hpp): grants pages of its standard input to domain 0. To be run
// in a guest:
//   ringback-hypervisor exec 1 -- pipe_frontend < file

#include "examples/pipe.hpp"

using namespace pipe_device;
using namespace ringback;
using Ring = ring::FrontRing<Request, Response>;

namespace {

// The keys appear together or not at all.
void publish_keys(xenstore::Store& store, hypervisor::GrantRef ring, hypervisor::Port port) {
  const auto self = need(store.own_domain());
  need(store.transact([&](xenstore::Transaction& transaction) {
    return transaction.write(key(self, "ring-ref"), std::to_string(ring)).and_then([&] {
      return transaction.write(key(self, "event-channel"), std::to_string(port));
    });
  }));
}

}  // namespace

int main() {
  auto store = need(xenstore::Store::open());
  auto channels = need(hypervisor::open_event_channels());
  auto sharer = need(hypervisor::open_grant_sharer());
  // Domain 0 reads and writes the ring, and only reads the data.
  auto ring_page = need(sharer->share(0, 1, hypervisor::Access::read_write));
  auto data = need(sharer->share(0, window, hypervisor::Access::read_only));

  auto ring = Ring::initialise(ring_page.bytes());
  const auto port = need(channels->bind_unbound(0));
  publish_keys(store, ring_page.refs()[0], port);

  std::uint32_t sent = 0;
  for (bool ended = false;;) {
    while (!ended && ring.size() - ring.free() < window) {
      const auto place = sent++ % window;  // answers come in order, so this page is free
      const auto page = data.page(place);
      std::cin.read(reinterpret_cast<char*>(page.data()),
                    static_cast<std::streamsize>(page.size()));
      const auto size = static_cast<std::uint32_t>(std::cin.gcount());
      ring.put({data.refs()[place], size});
      ended = size == 0;
    }
    if (ring.publish()) channels->notify(port);

    const auto answers = ring.unconsumed();
    if (!answers) give_up("the backend answers what nobody asked");
    for (ring::Index i = 0; i < *answers; ++i)
      if (ring.response(i).status != 0) give_up("the backend could not copy a page");
    ring.consume(*answers);
    if (ended && ring.free() == ring.size()) return 0;
    if (*answers == 0 && !ring.final_check()) sleep(*channels, store);
  }
}
