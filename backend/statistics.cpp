#include "backend/statistics.hpp"

#include <nlohmann/json.hpp>

namespace ringback::backend {
namespace {

nlohmann::json to_json(const Totals& totals) {
  nlohmann::json drops = nlohmann::json::object();
  for (std::size_t i = 0; i < totals.drops.size(); ++i) {
    if (totals.drops[i] > 0) drops[std::string(drop_names[i])] = totals.drops[i];
  }
  return {{"frames", totals.frames}, {"bytes", totals.bytes}, {"drops", drops}};
}

}  // namespace

void Totals::add(const Counters& counters) {
  frames += counters.frames.get();
  bytes += counters.bytes.get();
  for (std::size_t i = 0; i < drops.size(); ++i) drops[i] += counters.drops[i].get();
}

std::string summary(const Statistics& statistics) {
  return nlohmann::json{{"tx", to_json(statistics.tx)}, {"rx", to_json(statistics.rx)}}.dump();
}

}  // namespace ringback::backend
