// The learning switch (VALE, CoNEXT 2012): frames go from vif to vif with one copy, page to page.
//
// A burst is forwarded in two passes: look up every frame and put it on its destination's list,
// then hand each list over at once. The sender's worker does all of it. The port table is replaced
// as a whole by the control thread; a worker that reads it may go on until its next barrier
// (worker.hpp), and only then is the old table freed.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/port/port.hpp"
#include "backend/sink.hpp"
#include "backend/switch/mac_table.hpp"

namespace ringback::backend {

class SoftwareSwitch {
 public:
  // synchronise: returns when no worker can still hold a port table that was replaced before the
  // call.
  using Synchronise = std::function<void()>;
  SoftwareSwitch(std::string name, Synchronise synchronise);
  ~SoftwareSwitch();

  const std::string& name() const { return name_; }

  // The control thread: a place for a new vif, empty until connect(); and its end. A number is
  // given again only after remove() has returned.
  PortNumber add();
  void remove(PortNumber port);
  std::size_t port_count() const;
  // The vif's queues as receivers; empty: disconnected. When it returns no worker uses the former
  // ones.
  void connect(PortNumber port, std::vector<Sink*> sinks);

  // Any worker: forwards a burst that came in by `port` on `queue`.
  void forward(std::span<Frame> burst, PortNumber port, std::size_t queue, Copier& copier,
               Counters& counters);

 private:
  struct Place {
    bool used = false;
    std::vector<Sink*> sinks;
  };
  using Places = std::vector<Place>;
  void replace(std::unique_ptr<const Places> places);

  const std::string name_;
  const Synchronise synchronise_;
  MacTable macs_;
  std::unique_ptr<const Places> owned_;
  std::atomic<const Places*> places_;
};

// A vif's place on the switch.
class SwitchPort final : public Port {
 public:
  explicit SwitchPort(std::shared_ptr<SoftwareSwitch> to)
      : switch_(std::move(to)), number_(switch_->add()) {}
  ~SwitchPort() override { switch_->remove(number_); }
  SwitchPort(const SwitchPort&) = delete;
  SwitchPort& operator=(const SwitchPort&) = delete;

  void connect(std::vector<Sink*> sinks) { switch_->connect(number_, std::move(sinks)); }

  void send(std::span<Frame> burst, std::size_t queue, Copier& copier,
            Counters& counters) override {
    switch_->forward(burst, number_, queue, copier, counters);
  }

 private:
  std::shared_ptr<SoftwareSwitch> switch_;
  PortNumber number_;
};

}  // namespace ringback::backend
