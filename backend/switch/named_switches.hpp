// The switches that vifs have named, each with an uplink into the host where the host lets it have
// one. The control thread's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "backend/switch/uplink.hpp"
#include "backend/worker.hpp"
#include "hypervisor/kept_taps.hpp"
#include "xenstore/store.hpp"
#include "xenstore/switch_policy.hpp"

namespace ringback::backend {

class NamedSwitches {
 public:
  // All outlive this, and there is at least one worker when the first switch is named. keys: the
  // directory in the store with a directory for each switch (xenstore/switch_policy.hpp).
  NamedSwitches(const std::vector<std::unique_ptr<Worker>>& workers, hypervisor::KeptTaps& taps,
                xenstore::Store& store, std::string keys)
      : workers_(workers), taps_(taps), store_(store), keys_(std::move(keys)) {}
  NamedSwitches(const NamedSwitches&) = delete;
  NamedSwitches& operator=(const NamedSwitches&) = delete;

  // Made when it is first named. Its uplink is the device that its keys name, or else the tap
  // `up-<name>` (or the one that an earlier daemon left, whatever its name is by now), which stays
  // when the switch goes: the host gave it an address or put it into a bridge. Where there can be
  // none the log says why.
  std::shared_ptr<SoftwareSwitch> get(const std::string& name);
  const std::string& keys() const { return keys_; }
  // Somebody has written keys of a switch. What can't be understood changes nothing; the log, and
  // the node `error` beside them where it may be written, say why.
  void follow_policies();
  // Ends those that no vif is on any more.
  void drop_empty();

  // Somebody deleted the tap of this queue's uplink, if it is one's: it gets another.
  void replace_uplink(const Task* queue);
  // Tries again to get the uplinks that are missing, and sees which devices have gone; to be called
  // now and then while it wants a look. False: some are missing still.
  bool look();
  bool wants_look() const;

  // What went between each switch and the host, by all uplinks that it has had.
  void for_each_uplink(
      const std::function<void(const std::string& name, const Statistics& statistics)>& see) const;

 private:
  struct Switch {
    std::shared_ptr<SoftwareSwitch> network;
    std::unique_ptr<Uplink> uplink;  // perhaps none
    Statistics former{};             // of those before it
    xenstore::SwitchPolicy policy{};
    std::string refusal{};  // why its keys are not in force; reported once
  };
  static void end_uplink(Switch& of);
  void follow_policy(const std::string& name, Switch& of);
  Result<void> apply(const xenstore::SwitchPolicy& policy, const std::string& name, Switch& to);
  Result<std::unique_ptr<Uplink>> over_tap(const std::string& name, const Switch& of);
  static Result<std::unique_ptr<Uplink>> over_device(const std::string& device,
                                                     const std::string& name, const Switch& of);

  const std::vector<std::unique_ptr<Worker>>& workers_;
  hypervisor::KeptTaps& taps_;
  xenstore::Store& store_;
  const std::string keys_;
  std::map<std::string, Switch> switches_;
};

}  // namespace ringback::backend
