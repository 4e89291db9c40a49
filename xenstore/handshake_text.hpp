// The handshakes' actions as text, for tests: "disconnect say_closing".
#pragma once

#include <string>
#include <vector>

#include "xenstore/handshake.hpp"

namespace ringback::xenstore {

inline const char* name(BackendAction action) {
  constexpr const char* names[] = {"offer",       "connect",    "announce", "disconnect",
                                   "say_closing", "say_closed", "forget"};
  return names[static_cast<std::size_t>(action)];
}

inline const char* name(FrontendAction action) {
  constexpr const char* names[] = {"initialise",  "connect",    "run",   "disconnect",
                                   "say_closing", "say_closed", "forget"};
  return names[static_cast<std::size_t>(action)];
}

template <class Action>
std::string to_text(const std::vector<Action>& actions) {
  std::string text;
  for (const auto action : actions) text += (text.empty() ? "" : " ") + std::string(name(action));
  return text;
}

}  // namespace ringback::xenstore
