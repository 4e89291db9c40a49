#include "frontend/statistics.hpp"

#include <nlohmann/json.hpp>

namespace ringback::frontend {

std::string to_json(std::span<const Counters> queues) {
  const auto tx = [&](Counter Counters::Tx::*counter) {
    std::uint64_t sum = 0;
    for (const auto& queue : queues) sum += queue.tx.*counter;
    return sum;
  };
  const auto rx = [&](Counter Counters::Rx::*counter) {
    std::uint64_t sum = 0;
    for (const auto& queue : queues) sum += queue.rx.*counter;
    return sum;
  };
  using Tx = Counters::Tx;
  using Rx = Counters::Rx;
  auto frames = nlohmann::json::array();
  for (const auto& queue : queues)
    frames.push_back(
        {{"tx", std::uint64_t{queue.tx.frames}}, {"rx", std::uint64_t{queue.rx.frames}}});
  const nlohmann::ordered_json json = {
      {"tx",
       {{"frames", tx(&Tx::frames)},
        {"bytes", tx(&Tx::bytes)},
        {"segmented", tx(&Tx::segmented)},
        {"refused", tx(&Tx::refused)},
        {"drops", {{"malformed", tx(&Tx::drop_malformed)}, {"too_long", tx(&Tx::drop_too_long)}}}}},
      {"rx",
       {{"frames", rx(&Rx::frames)},
        {"bytes", rx(&Rx::bytes)},
        {"checksum_errors", rx(&Rx::wrong_checksums)},
        {"drops",
         {{"error", rx(&Rx::drop_error)},
          {"malformed", rx(&Rx::drop_malformed)},
          {"tap", rx(&Rx::drop_tap)}}}}},
      {"queues", frames}};
  return json.dump();
}

}  // namespace ringback::frontend
