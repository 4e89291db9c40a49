#include "backend/control/rate.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>

namespace ringback::backend::control {
namespace {

// A whole number and the unit behind it.
struct Quantity {
  std::uint64_t number = 0;
  std::string unit;
};

std::optional<Quantity> parse_quantity(const std::string& text) {
  Quantity quantity;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.number);
  if (error != std::errc()) return std::nullopt;
  quantity.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return quantity;
}

}  // namespace

Result<xenstore::Rate> parse_rate_option(const std::string& text) {
  if (text.find(',') != std::string::npos) return xenstore::parse_rate(text);

  static const std::map<std::string, double> bytes_per_second = {
      {"b/s", 1.0 / 8},  {"Kb/s", 1e3 / 8}, {"Mb/s", 1e6 / 8}, {"Gb/s", 1e9 / 8},
      {"B/s", 1.0},      {"KB/s", 1e3},     {"MB/s", 1e6},     {"GB/s", 1e9}};
  static const std::map<std::string, std::uint64_t> microseconds = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};

  const auto at = text.find('@');
  const auto amount = parse_quantity(text.substr(0, at));
  std::uint64_t interval = xenstore::Rate{}.interval_us;
  bool good = amount && bytes_per_second.contains(amount->unit);
  if (good && at != std::string::npos) {
    const auto time = parse_quantity(text.substr(at + 1));
    good = time && microseconds.contains(time->unit) && time->number <= 1000000;
    if (good) interval = time->number * microseconds.at(time->unit);
  }
  if (!good)
    return failure(EINVAL, fmt::format("rate \"{}\": expected as xl has it, like 10Mb/s, 250KB/s or 1MB/s@20ms", text));
  const double bytes = static_cast<double>(amount->number) * bytes_per_second.at(amount->unit) *
                       static_cast<double>(interval) / 1e6;
  // One set of ranges for all ways of saying it.
  return xenstore::parse_rate(fmt::format("{:.0f},{}", bytes, interval));
}

}  // namespace ringback::backend::control
