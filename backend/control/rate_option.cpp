#include "backend/control/rate_option.hpp"

#include <array>
#include <optional>

#include "xenstore/number.hpp"

namespace ringback::control {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> decimal = {
    {{"K", 1'000}, {"M", 1'000'000}, {"G", 1'000'000'000}, {"", 1}}};
constexpr std::array<Unit, 3> microseconds = {{{"us", 1}, {"ms", 1'000}, {"s", 1'000'000}}};

bool take_end(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.remove_suffix(end.size());
  return true;
}

// A number and its unit. At most 9 digits: no product here can overflow, and no link is near it.
template <std::size_t count>
std::optional<std::uint64_t> measure(std::string_view text, const std::array<Unit, count>& units) {
  for (const auto& unit : units) {
    if (!take_end(text, unit.name)) continue;
    const auto number = xenstore::parse_number<std::uint64_t>("", text, 0, 999'999'999);
    return number ? std::optional(*number * unit.factor) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> bytes_per_second(std::string_view text) {
  if (!take_end(text, "/s")) return std::nullopt;
  if (take_end(text, "B")) return measure(text, decimal);
  if (!take_end(text, "b")) return std::nullopt;
  const auto bits = measure(text, decimal);
  return bits ? std::optional(*bits / 8) : std::nullopt;
}

tl::unexpected<Error> refuse(std::string_view text, const char* wanted) {
  return failure(EINVAL, "rate " + xenstore::quoted(text) + ": " + wanted);
}

}  // namespace

Result<xenstore::Rate> parse_rate_option(std::string_view text) {
  if (text.find(',') != std::string_view::npos) return xenstore::parse_rate(text);

  const auto at = text.find('@');
  const auto bytes = bytes_per_second(text.substr(0, at));
  if (!bytes) {
    return refuse(text, R"(should be like 10Mb/s or 2MB/s@20ms or "bytes,microseconds")");
  }
  xenstore::Rate rate;
  if (at != std::string_view::npos) {
    const auto interval = measure(text.substr(at + 1), microseconds);
    if (!interval || *interval < 1 || *interval > 1'000'000) {
      return refuse(text, "its interval should be from 1us to 1s");
    }
    rate.interval_us = *interval;
  }
  // Whole megabytes apart, so that no product overflows.
  rate.bytes =
      *bytes / 1'000'000 * rate.interval_us + *bytes % 1'000'000 * rate.interval_us / 1'000'000;
  if (rate.bytes == 0) return refuse(text, "is less than a byte in its interval");
  return rate;
}

}  // namespace ringback::control
