// What many queues have done together, and that in words, for the log: one JSON object, so that a
// script can read it too.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "backend/counters.hpp"

namespace ringback::backend {

struct Totals {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, drop_names.size()> drops{};
  void add(const Counters& counters);
};
struct Statistics {
  Totals tx;
  Totals rx;
};

std::string summary(const Statistics& statistics);

}  // namespace ringback::backend
