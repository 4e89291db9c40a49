// Runs a hotplug script as libxl does: `SCRIPT online|offline` with the device in its environment.
#pragma once

#include <string>

#include "hypervisor/result.hpp"

namespace ringback::backend::control {

// backend: BE; vif: the network device's name. A script that takes more than 40 s (libxl's limit) is killed.
Result<void> run_hotplug_script(const std::string& script, const std::string& action, const std::string& backend,
                                const std::string& vif);

}  // namespace ringback::backend::control
