// What is to be generated, measured and said. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hypervisor/result.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::frontend {

struct PktgenOptions {
  std::vector<std::uint32_t> senders{0};  // vifs of this domain, by number
  std::vector<std::uint32_t> sinks{1};
  std::optional<xenstore::Mac> to{};   // where frames go if there are no sinks here
  std::vector<std::size_t> sizes{60};  // in turn; 60..65535
  double rate = 0;                     // frames a second, all senders together; 0: without limit
  std::uint32_t burst = 32;            // frames that are put at once: 1..256
  double seconds = 1;                  // measured
  double warm_up = 0.2;                // before that
  std::uint32_t flows = 1;             // per sender; at least one for each queue is used
  std::uint32_t addresses = 1;         // MAC addresses that each vif is known by
  std::uint32_t queues = 1;            // per vif, if the backend offers as many
  bool offload = true;
  bool touch = false;    // every byte of payload is written and, at the sink, read
  bool latency = false;  // each frame's way is timed
  bool sleep = false;    // sleeps where there is nothing to do, as a guest does; else polls
  double wait = 10;      // seconds for the vifs to connect
};

// Sizes as a user writes them: "60", "60,1514" or "imix" (7, 4 and 1 of 60, 590 and 1514).
Result<std::vector<std::size_t>> parse_sizes(const std::string& text);
// Numbers of vifs: "0", "0,2" or "0-15"; "" is none.
Result<std::vector<std::uint32_t>> parse_devices(const std::string& text);
// What can't be together is refused.
Result<void> check(const PktgenOptions& options);

}  // namespace ringback::frontend
