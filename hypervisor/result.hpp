// How everything above the pure rooms reports failure: a value or an Error, never an exception.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ringback {

// what: what was wrong, where, and what to do about it, for a human. code: an errno value, for a
// program.
struct Error {
  int code = 0;
  std::string what;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(int code, std::string what) {
  return tl::unexpected<Error>(Error{code, std::move(what)});
}

// For a system call or a Xen library call that just failed: "what: Permission denied".
inline tl::unexpected<Error> system_failure(const std::string& what, int code = errno) {
  return failure(code, what + ": " + std::strerror(code));
}

}  // namespace ringback
