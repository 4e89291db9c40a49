// For those who parse keys: the errors they make of them. Pure.
#pragma once

#include <optional>
#include <string>

#include "xenstore/keys.hpp"
#include "xenstore/number.hpp"

namespace ringback::xenstore {

inline tl::unexpected<Error> refuse(std::string_view key, std::string_view value,
                                    std::string_view wanted) {
  return failure(EINVAL,
                 std::string(key) + " = " + quoted(value) + ": should be " + std::string(wanted));
}

// Parses many keys and keeps the first Error, so that a parser reads as a list of its keys.
class Parser {
 public:
  explicit Parser(const Keys& keys) : keys_(keys) {}

  bool has(std::string_view key) const { return keys_.contains(key); }

  // Absent: the default.
  std::string text(std::string_view key, std::string_view absent = {}) const {
    const auto at = keys_.find(key);
    return at == keys_.end() ? std::string(absent) : at->second;
  }

  template <class T>
  T number(std::string_view key, T absent, T lowest, T highest) {
    const auto at = keys_.find(key);
    return at == keys_.end() ? absent : take(parse_number<T>(key, at->second, lowest, highest));
  }

  // Must be there.
  template <class T>
  T required(std::string_view key, T lowest, T highest) {
    if (!has(key)) refuse(Error{ENOENT, std::string(key) + " is missing"});
    return number<T>(key, lowest, lowest, highest);
  }

  bool flag(std::string_view key, bool absent = false) {
    return number<std::uint8_t>(key, absent ? 1 : 0, 0, 1) != 0;
  }

  template <class T>
  T take(Result<T> result) {
    if (result) return std::move(*result);
    refuse(std::move(result.error()));
    return {};
  }

  void refuse(Error error) {
    if (!error_) error_ = std::move(error);
  }

  template <class T>
  Result<T> finish(T value) const {
    if (error_) return tl::unexpected(*error_);
    return value;
  }

 private:
  const Keys& keys_;
  std::optional<Error> error_;
};

}  // namespace ringback::xenstore
