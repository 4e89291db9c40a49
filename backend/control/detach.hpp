// `ringback vif detach`: takes a vif away from its domain, as libxl does.
#pragma once

#include <chrono>
#include <optional>

#include "backend/control/backend_wait.hpp"
#include "backend/control/toolstack_keys.hpp"
#include "xenstore/store.hpp"

namespace ringback::control {

// libxl's own notes on a device.
std::string libxl_path(xenstore::VifId id);

// All that the toolstack has written for a vif, at once.
Result<void> remove_keys(xenstore::Store& store, DomainId backend, xenstore::VifId id);

struct DetachOptions {
  DomainId domain = 0;
  std::optional<std::uint32_t> device = {};  // may be left out if the domain has one vif
  bool force = false;                        // don't wait for the backend
  std::chrono::milliseconds patience = backend_patience;
};

// Asks the backend to close and waits until it has, runs the script's offline, and removes the
// keys.
Result<xenstore::VifId> detach(xenstore::Store& store, const DetachOptions& options);

}  // namespace ringback::control
