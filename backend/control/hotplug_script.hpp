// Runs a hotplug script as libxl does (vif-bridge, vif-openvswitch and such).
#pragma once

#include <chrono>
#include <string>

#include "backend/control/toolstack_keys.hpp"

namespace ringback::control {

// libxl's patience with a script.
inline constexpr std::chrono::seconds script_patience{40};

// A name alone is one of Xen's scripts.
std::string script_path(const std::string& name);

// Runs `script online|offline` with the vif in its environment. An error if it can't be run, fails,
// or takes too long: then it is killed, with all it has started.
Result<void> run_script(const std::string& script, const std::string& command,
                        const std::string& backend, xenstore::VifId id,
                        std::chrono::milliseconds patience = script_patience);

}  // namespace ringback::control
