// The learning switch (VALE, CoNEXT 2012): frames go from vif to vif with one copy, page to page.
//
// A burst is forwarded in two passes: look up every frame and put it on its destination's list,
// then hand each list over at once. What the ports' policies (xenstore/port_policy.hpp) ask for is
// done on the way, and costs nothing where none has one. The sender's worker does all of it. The
// port table is replaced as a whole by the control thread; a worker that reads it may go on until
// its next barrier (worker.hpp), and only then is the old table freed.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/port/port.hpp"
#include "backend/switch/clock.hpp"
#include "backend/switch/group_table.hpp"
#include "backend/switch/port_table.hpp"
#include "net/toeplitz.hpp"
#include "xenstore/switch_policy.hpp"

namespace ringback::backend {

class SoftwareSwitch {
 public:
  // synchronise: returns when no worker can still hold a port table that was replaced before the
  // call.
  using Synchronise = std::function<void()>;
  SoftwareSwitch(std::string name, Synchronise synchronise, Clock clock = coarse_clock);
  ~SoftwareSwitch();

  const std::string& name() const { return name_; }

  // The control thread: a place for a new vif, empty until connect(); and its end. A number is
  // given again only after remove() has returned. name: what mirrors know it by.
  PortNumber add(std::string name);
  void remove(PortNumber port);
  std::size_t port_count() const;
  // The vif's queues as receivers; empty: disconnected. spread: what comes from a sender with fewer
  // queues is spread over all of them, by flows. When it returns no worker uses the former ones.
  void connect(PortNumber port, std::vector<Sink*> sinks, bool spread = false);
  // In force when it returns, and no frame waits for it. False: not all its addresses could be
  // kept, as there are too many.
  bool set_policy(PortNumber port, const xenstore::PortPolicy& policy);
  // The switch's own: snooping and ageing.
  void set_policy(const xenstore::SwitchPolicy& policy);

  // Any worker: forwards a burst that came in by `port` on `queue`.
  void forward(std::span<Frame> burst, PortNumber port, std::size_t queue, Copier& copier,
               Counters& counters);

 private:
  // Carries out a change of the table, and returns when no worker sees the former one.
  template <class Change>
  void change(Change change);

  const std::string name_;
  const Synchronise synchronise_;
  const Clock clock_;
  MacTable macs_;
  GroupTable groups_;
  const net::Toeplitz flows_;
  std::atomic<bool> snooping_ = true;
  std::unique_ptr<const PortTable> owned_;
  std::atomic<const PortTable*> ports_;
};

// A vif's place on the switch.
class SwitchPort final : public Port {
 public:
  SwitchPort(std::shared_ptr<SoftwareSwitch> to, std::string name)
      : switch_(std::move(to)), number_(switch_->add(std::move(name))) {}
  ~SwitchPort() override { switch_->remove(number_); }
  SwitchPort(const SwitchPort&) = delete;
  SwitchPort& operator=(const SwitchPort&) = delete;

  void connect(std::vector<Sink*> sinks, bool spread = false) {
    switch_->connect(number_, std::move(sinks), spread);
  }
  bool set_policy(const xenstore::PortPolicy& policy) {
    return switch_->set_policy(number_, policy);
  }

  void send(std::span<Frame> burst, std::size_t queue, Copier& copier,
            Counters& counters) override {
    switch_->forward(burst, number_, queue, copier, counters);
  }

 private:
  std::shared_ptr<SoftwareSwitch> switch_;
  PortNumber number_;
};

}  // namespace ringback::backend
