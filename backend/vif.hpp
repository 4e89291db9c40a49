// A guest's network device, as the backend has it: configuration, handshake, port, queues. The
// control thread's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/port/port.hpp"
#include "backend/statistics.hpp"
#include "backend/switch/software_switch.hpp"
#include "backend/worker.hpp"
#include "hypervisor/kept_memory.hpp"
#include "hypervisor/kept_taps.hpp"
#include "xenstore/handshake.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::backend {

class TapPort;

class Vif {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;

  Vif(xenstore::VifConfig config, const Workers& workers)
      : config_(std::move(config)), workers_(workers) {}
  ~Vif() { disconnect(); }
  Vif(const Vif&) = delete;
  Vif& operator=(const Vif&) = delete;

  const xenstore::VifConfig& config() const { return config_; }

  // Makes the port: the tap, its carrier off, or a place on the switch. A tap outlives this object
  // and this process, with its addresses and its place in a bridge, and is taken over by the next
  // Vif of the same id, known by its alias whatever its name is by then.
  Result<void> make_tap(hypervisor::KeptTaps& taps);
  void join(std::shared_ptr<SoftwareSwitch> to);
  // What it may do there from now on; its traffic is not stopped.
  void set_policy(const xenstore::PortPolicy& policy);
  // Whether somebody has deleted the tap.
  bool lost_tap() const;
  // Lets the tap vanish with this object.
  void give_up_tap();
  // Whether this object made it: another one of that name has gone, or there was none.
  bool has_new_tap() const { return new_tap_; }

  // Connects the queues to the rings that the guest named, each on the worker with the fewest; all
  // or none. kept: of a vif of this id, where one was connected to these rings before. resumes: a
  // daemon before this one had connected them.
  Result<void> connect(const xenstore::FrontendKeys& frontend, const hypervisor::KeptMemory& kept,
                       bool resumes);
  // Ends them. No worker knows the queues when it returns.
  void disconnect();
  bool connected() const { return !queues_.empty(); }
  // Whether the network device shows a carrier.
  void set_carrier(bool on);

  bool owns(const Task* task) const;

  // What the queues have done since the vif was made, those of former connections included.
  Statistics statistics() const;

 private:
  struct Placed {
    Worker* worker;
    Queue* queue;
  };
  Worker& least_busy() const;
  void apply_policy();

  xenstore::VifConfig config_;
  const Workers& workers_;
  std::unique_ptr<Port> port_;
  TapPort* tap_ = nullptr;  // port_, if it is one
  bool new_tap_ = false;
  std::optional<net::Abilities> told_;            // what the tap knows that the guest takes
  SwitchPort* switch_ = nullptr;                  // likewise
  std::optional<hypervisor::MappedMemory> kept_;  // a Queue::Kept for each queue
  std::vector<Placed> queues_;
  Statistics former_;
};

}  // namespace ringback::backend
