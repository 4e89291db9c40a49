#include "backend/control/toolstack_keys.hpp"

namespace ringback::control {

xenstore::Keys backend_keys(const VifRequest& vif) {
  xenstore::Keys keys = {
      {"frontend", xenstore::frontend_path(vif.id)},
      {"frontend-id", std::to_string(vif.id.domain)},
      {"online", "1"},
      {"state", "1"},
      {"handle", std::to_string(vif.id.device)},
      {"mac", xenstore::to_string(vif.mac)},
      {"type", "vif"},
      {"hotplug-status", vif.hotplug_connected ? "connected" : ""},
  };
  if (!vif.bridge.empty()) keys["bridge"] = vif.bridge;
  if (!vif.script.empty()) keys["script"] = vif.script;
  if (!vif.vifname.empty()) keys["vifname"] = vif.vifname;
  if (vif.rate) keys["rate"] = to_string(*vif.rate);
  if (vif.mtu != 1500) keys["mtu"] = std::to_string(vif.mtu);
  if (vif.max_queues) keys["ringback/max-queues"] = std::to_string(*vif.max_queues);
  return keys;
}

xenstore::Keys frontend_keys(const VifRequest& vif) {
  return {
      {"backend", xenstore::backend_path(vif.backend, vif.id)},
      {"backend-id", std::to_string(vif.backend)},
      {"state", "1"},
      {"handle", std::to_string(vif.id.device)},
      {"mac", xenstore::to_string(vif.mac)},
      {"mtu", std::to_string(vif.mtu)},
      {"trusted", "1"},
  };
}

}  // namespace ringback::control
