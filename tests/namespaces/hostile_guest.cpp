// A guest's end of a vif (number 0 of this domain) as no driver should be.
//
//   hostile_guest write SECONDS   writes below its device's state as fast as the store takes it
//   hostile_guest flap SECONDS    offers a ring that lies, says Closed, Initialising, Connected
//                                 over and over, and waits for no answer
//   hostile_guest reconnect SECONDS
//                                 connects as it should, and closes at once, over and over
//   hostile_guest lie tx|rx       connects, claims more requests than that ring has slots, and
//                                 waits until the backend has found out: tx with an event, rx
//                                 without, so that only who sends to this guest can see it
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
    Rings rings(*this);
    wait_for_backend("2");
    publish(rings);
    must(store_.write(path_ + "/state", "4"));
    wait_for_backend("4");
    // The backend has armed its event index by then, and sees what follows only if it is told or
    // looks by itself.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    rings.claim(tx);
    if (tx) events_->notify(rings.channel);
    wait_for_backend("6");
    must(store_.write(path_ + "/state", "6"));
    must(store_.write(path_ + "/state", "1"));
  }

  void reconnect_for(std::chrono::seconds time) {
    Rings rings(*this);
    publish(rings);
    const auto end = Clock::now() + time;
    while (Clock::now() < end) {
      for (const auto& [own, backend] : {std::pair("1", "2"), {"4", "4"}, {"6", "6"}}) {
        must(store_.write(path_ + "/state", own));
        wait_for_backend(backend);
      }
    }
  }

  void flap_for(std::chrono::seconds time) {
    Rings rings(*this);
    rings.claim(true);
    publish(rings);
    const auto end = Clock::now() + time;
    std::uint64_t count = 0;
    for (; Clock::now() < end; ++count) {
      for (const char* state : {"6", "1", "4"}) {
        must(store_.write(path_ + "/state", state));
        // Time enough for the backend to look, if it wants to.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
    fmt::print("connected {} times\n", count);
  }

 private:
  struct Rings {
    explicit Rings(HostileGuest& of)
        : pages(must(of.grants_->share(0, 2, hypervisor::Access::read_write))),
          tx(pages.page(0)),
          rx(pages.page(1)),
          channel(must(of.events_->bind_unbound(0))) {
      tx.initialise();
      rx.initialise();
      // Buffers that can't be used, or what is sent to this guest would wait in the backlog for its
      // event.
      rx.publish_req_prod(rx.size());
    }
    // More requests than the ring has slots.
    void claim(bool in_tx) {
      constexpr ring::Index too_many = 100'000;
      if (in_tx)
        tx.publish_req_prod(too_many);
      else
        rx.publish_req_prod(too_many);
    }

    hypervisor::SharedPages pages;
    ring::SharedRing<ring::TxRequest, ring::TxResponse> tx;
    ring::SharedRing<ring::RxRequest, ring::RxResponse> rx;
    hypervisor::Port channel;
  };

  void publish(const Rings& rings) {
    xenstore::FrontendKeys keys;
    keys.queues = {{rings.pages.refs()[0], rings.pages.refs()[1], rings.channel, rings.channel}};
    keys.rx_notify = true;
    for (const auto& [key, value] : xenstore::print(keys))
      must(store_.write(path_ + "/" + key, value));
  }

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
  const std::unique_ptr<hypervisor::GrantSharer> grants_ = must(hypervisor::open_grant_sharer());
  const std::unique_ptr<hypervisor::EventChannels> events_ =
      must(hypervisor::open_event_channels());
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  HostileGuest guest;
  if (argv[1] == std::string_view("write"))
    guest.write_for(std::chrono::seconds(std::atoi(argv[2])));
  else if (argv[1] == std::string_view("reconnect"))
    guest.reconnect_for(std::chrono::seconds(std::atoi(argv[2])));
  else if (argv[1] == std::string_view("flap"))
    guest.flap_for(std::chrono::seconds(std::atoi(argv[2])));
  else
    guest.lie(argv[2] == std::string_view("tx"));
}
