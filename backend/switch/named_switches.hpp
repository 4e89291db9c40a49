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

namespace ringback::backend {

class NamedSwitches {
 public:
  // The workers outlive this, and there is at least one when the first switch is named.
  NamedSwitches(const std::vector<std::unique_ptr<Worker>>& workers, hypervisor::KeptTaps& taps)
      : workers_(workers), taps_(taps) {}
  ~NamedSwitches();
  NamedSwitches(const NamedSwitches&) = delete;
  NamedSwitches& operator=(const NamedSwitches&) = delete;

  // Made when it is first named. Its uplink is the tap `up-<name>` (or the one that an earlier
  // daemon left, whatever its name is by now), which stays when the switch goes: the host gave it
  // an address or put it into a bridge. Where there can be none the log says why.
  std::shared_ptr<SoftwareSwitch> get(const std::string& name);
  // Ends those that no vif is on any more.
  void drop_empty();

  // Somebody deleted the tap of this uplink, if it is one: it gets another.
  void replace_tap(const Task* uplink);

  // What went between each switch and the host.
  void for_each_uplink(
      const std::function<void(const std::string& name, const Uplink& uplink)>& see) const;

 private:
  struct Switch {
    std::shared_ptr<SoftwareSwitch> network;
    std::unique_ptr<Uplink> uplink;  // served by worker; perhaps none
    Worker* worker = nullptr;
  };
  Result<void> add_uplink(const std::string& name, Switch& to);
  static void end(Switch& of);

  const std::vector<std::unique_ptr<Worker>>& workers_;
  hypervisor::KeptTaps& taps_;
  std::map<std::string, Switch> switches_;
};

}  // namespace ringback::backend
