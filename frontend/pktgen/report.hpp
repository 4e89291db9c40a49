// What was measured, as a table for people and as JSON for programs. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/pktgen/histogram.hpp"
#include "frontend/pktgen/sequence.hpp"

namespace ringback::frontend {

struct PktgenReport {
  double seconds = 0;      // that were measured
  double cpu_seconds = 0;  // of this process in them

  // While it was measured.
  struct Counts {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
  } sent, received;
  std::uint64_t notifications = 0;  // events to the backend
  std::uint64_t events = 0;         // events from it, as far as this process slept for them
  Histogram latency;                // ns

  // From the first frame to the last, the warm-up and what came late included.
  std::uint64_t sent_in_all = 0;
  std::uint64_t refused = 0;  // slots that the backend answered with an error
  std::uint64_t errors = 0;   // frames that it reported as failed
  std::uint64_t corrupt = 0;  // the payload is not what was sent
  std::uint64_t foreign = 0;  // frames of somebody else
  Arrivals arrivals;

  // Of those that were sent here, or of the numbers that came if it was elsewhere.
  std::uint64_t lost() const {
    return sent_in_all > 0 ? sent_in_all - std::min(sent_in_all, arrivals.frames)
                           : arrivals.missing;
  }
};

std::string to_text(const PktgenReport& report);
std::string to_json(const PktgenReport& report);  // one line, without its end

}  // namespace ringback::frontend
