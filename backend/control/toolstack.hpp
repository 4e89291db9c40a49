// What libxl does for a vif, in its order and with its keys, for machines without Xen (and for hand work on those with it).
#pragma once

#include <chrono>
#include <functional>

#include "backend/control/options.hpp"
#include "xenstore/store.hpp"

namespace ringback::backend::control {

// Writes both directories in one transaction, waits for the backend's offer, runs the hotplug script. What failed half
// way is taken back.
Result<xenstore::VifId> attach(xenstore::Store& store, const AttachOptions& options);

// Asks the backend to close, waits for it, runs the script, removes both directories.
Result<void> detach(xenstore::Store& store, const DetachOptions& options);

// Waits until `done` says so of the value of a path, called at once and on every change; a missing path is nothing.
// False: the time was over first.
Result<bool> wait_for(xenstore::Store& store, const std::string& path, std::chrono::milliseconds limit,
                      const std::function<bool(const std::optional<std::string>&)>& done);

}  // namespace ringback::backend::control
