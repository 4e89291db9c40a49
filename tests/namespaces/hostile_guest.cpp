// A guest's end of a vif (number 0 of this domain) as no driver should be.
//
//   hostile_guest write SECONDS   writes below its device's state as fast as the store takes it
//   hostile_guest lie tx|rx       connects, claims more requests than that ring has slots, and
//   waits until the
//                                 backend has found out: tx with an event, rx without, so that only
//                                 who sends to this guest can see it
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "hypervisor/event_channels.hpp"
#include "hypervisor/grants.hpp"
#include "ring/netif.hpp"
#include "xenstore/store.hpp"
#include "xenstore/vif_keys.hpp"

using namespace ringback;

namespace {

using Clock = std::chrono::steady_clock;

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().what);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class HostileGuest {
 public:
  HostileGuest()
      : store_(must(xenstore::Store::open())),
        path_(xenstore::frontend_path({.domain = must(store_.own_domain()), .device = 0})) {}

  void write_for(std::chrono::seconds time) {
    const auto end = Clock::now() + time;
    std::uint64_t count = 0;
    for (; Clock::now() < end; ++count)
      must(store_.write(fmt::format("{}/state/{}", path_, count % 100), std::to_string(count)));
    fmt::print("{} writes\n", count);
  }

  void lie(bool tx) {
    const auto grants = must(hypervisor::open_grant_sharer());
    const auto events = must(hypervisor::open_event_channels());
    const auto pages = must(grants->share(0, 2, hypervisor::Access::read_write));
    ring::SharedRing<ring::TxRequest, ring::TxResponse> tx_ring(pages.page(0));
    ring::SharedRing<ring::RxRequest, ring::RxResponse> rx_ring(pages.page(1));
    tx_ring.initialise();
    rx_ring.initialise();
    // Buffers that can't be used, or what is sent to this guest would wait in the backlog for its
    // event.
    rx_ring.publish_req_prod(rx_ring.size());
    const auto channel = must(events->bind_unbound(0));
    wait_for_backend("2");
    xenstore::FrontendKeys keys;
    keys.queues = {{pages.refs()[0], pages.refs()[1], channel, channel}};
    keys.rx_notify = true;
    for (const auto& [key, value] : xenstore::print(keys))
      must(store_.write(path_ + "/" + key, value));
    must(store_.write(path_ + "/state", "4"));
    wait_for_backend("4");
    // The backend has armed its event index by then, and sees what follows only if it is told or
    // looks by itself.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    constexpr ring::Index too_many = 100'000;
    if (tx) {
      tx_ring.publish_req_prod(too_many);
      events->notify(channel);
    } else {
      rx_ring.publish_req_prod(too_many);
    }
    wait_for_backend("6");
    must(store_.write(path_ + "/state", "6"));
    must(store_.write(path_ + "/state", "1"));
  }

 private:
  void wait_for_backend(std::string_view state) {
    const auto backend = must(store_.read(path_ + "/backend")).value_or("");
    const auto end = Clock::now() + std::chrono::seconds(20);
    while (must(store_.read(backend + "/state")) != state) {
      if (Clock::now() > end) {
        fmt::print(stderr, "the backend does not go to state {}\n", state);
        std::exit(1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  xenstore::Store store_;
  const std::string path_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  HostileGuest guest;
  if (argv[1] == std::string_view("write"))
    guest.write_for(std::chrono::seconds(std::atoi(argv[2])));
  else
    guest.lie(argv[2] == std::string_view("tx"));
}
