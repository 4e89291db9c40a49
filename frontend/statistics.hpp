// The counters as text.
#pragma once

#include <span>
#include <string>

#include "frontend/counters.hpp"

namespace ringback::frontend {

// The sums over all queues as one line of JSON, without its end.
std::string to_json(std::span<const Counters> queues);

}  // namespace ringback::frontend
