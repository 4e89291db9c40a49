// How the drop-in libraries answer a C program: -1 or NULL with errno, and no exception leaves.
#pragma once

#include <cerrno>
#include <new>

#include "hypervisor/embedded/answer.hpp"
#include "hypervisor/types.hpp"

namespace ringback::hypervisor::embedded {

inline int to_int(const Answer<void>&) {
  return 0;
}
inline int to_int(const Answer<Port>& port) {
  return static_cast<int>(*port);
}

// body: gives an Answer<void> or an Answer<Port>.
template <class Body>
int int_call(Body body) {
  try {
    const auto answer = body();
    if (answer) return to_int(answer);
    errno = answer.error();
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
  }
  return -1;
}

// body: gives an Answer with a pointer.
template <class Body>
auto pointer_call(Body body) -> typename decltype(body())::value_type {
  try {
    const auto answer = body();
    if (answer) return *answer;
    errno = answer.error();
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
  }
  return nullptr;
}

}  // namespace ringback::hypervisor::embedded
