// A vif's counters in words, for the log: one JSON object, so that a script can read it too.
#pragma once

#include <string>

#include "backend/vif.hpp"

namespace ringback::backend {

std::string summary(const Vif::Statistics& statistics);

}  // namespace ringback::backend
