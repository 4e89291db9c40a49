// The guest's network device: waits for the vif in the store, gives it a tap, negotiates, connects
// the queues, and does so again whenever the backend closes and comes back.
//
//   store watch -> FrontendView -> FrontendHandshake (pure) -> actions -> queues on threads of
//   their own -> carrier
//
// Lives on the control thread's event loop, which alone touches the store, the tap's settings and
// the state.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/counters.hpp"
#include "frontend/negotiation.hpp"
#include "frontend/queue_thread.hpp"
#include "hypervisor/event_loop.hpp"
#include "hypervisor/tap.hpp"
#include "xenstore/handshake.hpp"
#include "xenstore/store.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::frontend {

class Netfront {
 public:
  // loop outlives it.
  static Result<std::unique_ptr<Netfront>> open(hypervisor::EventLoop& loop,
                                                NetfrontOptions options);
  Netfront(const Netfront&) = delete;
  Netfront& operator=(const Netfront&) = delete;
  ~Netfront();

  // Whether the vif has been there: from then on there is a tap.
  bool has_appeared() const { return tap_.has_value(); }
  // Why it can't go on. The loop was stopped then.
  const std::optional<Error>& broken() const { return broken_; }

  // Tells the backend, and stops the loop when both ends have said Closed (or are not connected).
  // It does not connect again.
  void close();

  std::string statistics() const;

 private:
  Netfront(hypervisor::EventLoop& loop, NetfrontOptions options, xenstore::Store store,
           hypervisor::Descriptor fault, std::string path);

  void on_store();
  void on_fault();
  void give_up(const Error& error);
  void retry_later();
  Result<void> look();
  Result<void> follow_backend();
  Result<void> make_tap();
  void act(const std::vector<xenstore::FrontendAction>& actions);
  void say(xenstore::XenbusState state);
  Result<void> connect();
  Result<void> publish(const xenstore::FrontendKeys& keys);
  void run();
  void disconnect();

  hypervisor::EventLoop& loop_;
  const NetfrontOptions options_;
  xenstore::Store store_;
  hypervisor::Descriptor fault_;    // an eventfd: a queue failed
  const std::string path_;          // FE
  std::string backend_path_;        // BE, once known
  std::vector<Counters> counters_;  // per queue; they outlive connections
  std::optional<hypervisor::Tap> tap_;
  std::vector<std::unique_ptr<QueueThread>> queues_;
  xenstore::FrontendHandshake handshake_;
  std::optional<hypervisor::EventLoop::TimerId> retry_;
  bool closing_ = false;
  std::optional<Error> broken_;
};

}  // namespace ringback::frontend
