#include "xenstore/server/permissions.hpp"

#include <cstdlib>

namespace ringback::xenstore::server {
namespace {

constexpr std::string_view letters = "nrwb";  // its index is the rights

}  // namespace

unsigned rights_of(const Caller& caller, const Permissions& permissions) {
  const auto is_meant = [&](const Entry& entry) {
    return entry.domain == caller.domain || (caller.target && entry.domain == *caller.target);
  };
  if (caller.privileged() || is_meant(permissions.front())) return may_read | may_write | owns;
  for (std::size_t i = 1; i < permissions.size(); ++i)
    if (!permissions[i].ignored && is_meant(permissions[i])) return permissions[i].rights;
  return permissions.front().rights;
}

std::optional<Permissions> parse_permissions(std::span<const std::string_view> texts) {
  Permissions permissions;
  for (const std::string_view text : texts) {
    const std::size_t rights = text.empty() ? letters.npos : letters.find(text.front());
    if (rights == letters.npos || text.size() < 2) return std::nullopt;
    // strtol with base 0, because that is how xenstored reads it: 0x10 is domain 16.
    const std::string number(text.substr(1));
    char* end = nullptr;
    const long domain = std::strtol(number.c_str(), &end, 0);
    if (*end != '\0') return std::nullopt;
    permissions.push_back({static_cast<std::uint32_t>(domain), static_cast<unsigned>(rights)});
  }
  return permissions;
}

std::string print(const Permissions& permissions) {
  std::string text;
  for (const Entry& entry : permissions) {
    text += letters[entry.rights];
    text += std::to_string(static_cast<std::int32_t>(entry.domain));
    text += '\0';
  }
  return text;
}

}  // namespace ringback::xenstore::server
