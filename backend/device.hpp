// A vif as the store has it: reads what toolstack and guest wrote there, walks it through its
// handshake, and makes and unmakes the Vif that moves its frames. The control thread's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backoff.hpp"
#include "backend/switch/named_switches.hpp"
#include "backend/vif.hpp"
#include "hypervisor/kept_taps.hpp"
#include "xenstore/handshake.hpp"
#include "xenstore/store.hpp"

namespace ringback::backend {

class Device {
 public:
  // What the devices of a daemon share, and their owner keeps.
  struct Shared {
    xenstore::Store& store;
    hypervisor::KeptTaps& taps;
    const hypervisor::KeptMemory& kept;
    const Vif::Workers& workers;
    NamedSwitches& switches;
  };

  // backend, frontend: its directories in the store (BE and FE).
  Device(const Shared& shared, xenstore::VifId id, std::string backend, std::string frontend);

  // Looks at its state nodes and does what follows; errors go to the log and to its error node.
  // Returns how long to wait before the next look, where a guest has to be patient or this host
  // lacks something; else zero.
  Backoff::Clock::duration look();
  // The toolstack has written keys of its policy on the switch.
  void follow_policy();
  // What a worker says of one of the queues.
  void found(const Fault& fault);
  // In the log, and in its error node.
  void report(const std::string& what);

  const std::string& frontend() const { return frontend_; }
  // From offer to forget; else null.
  const Vif* vif() const { return vif_.get(); }
  // Nothing of it is left, in the store or here.
  bool gone() const { return handshake_.state() == xenstore::BackendHandshake::State::gone; }

 private:
  Result<xenstore::Keys> read_backend() const;
  Result<xenstore::Keys> read_backend_state() const;
  Result<xenstore::BackendView> view(const xenstore::Keys& backend) const;
  Backoff::Clock::duration hold_back(xenstore::BackendView& seen);
  // known, here and below: what read_backend() has just read; empty where it has not.
  void act(std::vector<xenstore::BackendAction> actions, xenstore::Keys known = {});
  std::optional<std::vector<xenstore::BackendAction>> offer(const xenstore::Keys& known);
  bool has_rings() const;
  bool is_too_early();
  void wait_for_host(const Error& lack);
  void try_to_connect(const xenstore::Keys& known = {});
  Result<xenstore::FrontendKeys> frontend_keys() const;
  void announce(const xenstore::Keys& known);
  void disconnect();
  void count_short_connection();
  void forget();
  void replace_tap();
  void give_up_tap();
  Result<bool> prepare(bool offered, const xenstore::Keys& known);
  void refuse(const std::string& what);
  void say(xenstore::XenbusState state);
  Result<void> write_if_there(const xenstore::Keys& keys);

  const Shared& shared_;
  const xenstore::VifId id_;
  const std::string name_;
  const std::string backend_;
  const std::string frontend_;
  xenstore::BackendHandshake handshake_;
  std::unique_ptr<Vif> vif_;
  bool waits_for_host_ = false;  // to be offered or to connect, at the next attempt
  Backoff::Clock::time_point next_attempt_{};
  std::string lacked_;  // at the last one; reported once
  xenstore::XenbusState frontend_state_ = xenstore::XenbusState::unknown;  // as last seen
  Backoff backoff_;
  Backoff::Clock::time_point connected_since_{};
  std::string refused_policy_;  // why; reported once
};

}  // namespace ringback::backend
