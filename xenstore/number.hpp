// A key's text as a number: the whole text, decimal, within its range, or an Error that says which
// key. Pure.
#pragma once

#include <charconv>
#include <limits>
#include <string>
#include <string_view>

#include "hypervisor/result.hpp"

namespace ringback::xenstore {

// As much of a value as belongs in a message: it may be a guest's, long or unprintable.
std::string quoted(std::string_view value);

template <class T>
Result<T> parse_number(std::string_view key, std::string_view text,
                       T lowest = std::numeric_limits<T>::min(),
                       T highest = std::numeric_limits<T>::max()) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem == std::errc() && end == text.data() + text.size() && lowest <= value &&
      value <= highest) {
    return value;
  }
  return failure(EINVAL, std::string(key) + " = " + quoted(text) + ": should be a number from " +
                             std::to_string(lowest) + " to " + std::to_string(highest));
}

}  // namespace ringback::xenstore
