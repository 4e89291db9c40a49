// `ringback vif attach`: gives a domain a vif, as libxl does.
#pragma once

#include <chrono>
#include <optional>

#include "backend/control/backend_wait.hpp"
#include "backend/control/toolstack_keys.hpp"
#include "xenstore/store.hpp"

namespace ringback::control {

struct AttachOptions {
  VifRequest vif;                       // its device number and hotplug_connected are decided here
  std::optional<std::uint32_t> device;  // the first free one
  bool wait = true;                     // for the backend
  std::chrono::milliseconds patience = backend_patience;
};

// A mac of Xen's own prefix, 00:16:3e.
xenstore::Mac random_mac();

// Writes the keys, waits for the backend's offer, and sees to hotplug: runs the script if there is
// one to run here, else says "connected" itself. What fails is taken back.
Result<xenstore::VifId> attach(xenstore::Store& store, const AttachOptions& options);

}  // namespace ringback::control
