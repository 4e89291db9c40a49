#include "xenstore/number.hpp"

namespace ringback::xenstore {

std::string quoted(std::string_view value) {
  constexpr std::size_t shown = 40;
  std::string text = "\"";
  for (const char c : value.substr(0, shown)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (value.size() > shown ? "...\"" : "\"");
}

}  // namespace ringback::xenstore
