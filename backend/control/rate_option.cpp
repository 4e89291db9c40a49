#include "control/rate_option.hpp"

#include <regex>

#include "xenstore/number.hpp"

namespace ringback::control {

namespace {

// At most 9 digits: a product with a million cannot overflow, and no link is near it.
const char* const rate_pattern = "([0-9]{1,9})([KMG]?)([Bb])/s";
const char* const interval_pattern = "([0-9]{1,9})(s|ms|us)";

std::uint64_t multiplier(const std::string& unit) {
  if (unit == "K" || unit == "ms") return 1'000;
  if (unit == "M" || unit == "s") return 1'000'000;
  if (unit == "G") return 1'000'000'000;
  return 1;
}

tl::unexpected<Error> refuse(std::string_view text, const char* wanted) {
  return failure(EINVAL, "rate " + xenstore::quoted(text) + ": " + wanted);
}

}  // namespace

Result<xenstore::Rate> parse_rate_option(std::string_view text) {
  if (text.find(',') != std::string_view::npos) return xenstore::parse_rate(text);

  const auto at = text.find('@');
  const std::string per_second(text.substr(0, at));
  std::smatch parts;
  if (!std::regex_match(per_second, parts, std::regex(rate_pattern))) {
    return refuse(text, R"(should be like 10Mb/s or 2MB/s@20ms or "bytes,microseconds")");
  }
  auto bytes_per_second = std::stoull(parts[1]) * multiplier(parts[2]);
  if (parts[3] == "b") bytes_per_second /= 8;

  xenstore::Rate rate;
  if (at != std::string_view::npos) {
    const std::string interval(text.substr(at + 1));
    if (!std::regex_match(interval, parts, std::regex(interval_pattern))) {
      return refuse(text, "its interval should be like 50ms or 500us");
    }
    rate.interval_us = std::stoull(parts[1]) * multiplier(parts[2]);
    if (rate.interval_us < 1 || rate.interval_us > 1'000'000) {
      return refuse(text, "its interval should be from 1us to 1s");
    }
  }
  // Whole seconds apart, so that no product overflows.
  rate.bytes = bytes_per_second / 1'000'000 * rate.interval_us +
               bytes_per_second % 1'000'000 * rate.interval_us / 1'000'000;
  if (rate.bytes == 0) return refuse(text, "is less than a byte in its interval");
  return rate;
}

}  // namespace ringback::control
