#include "xenstore/switch_policy.hpp"

#include <fmt/format.h>

#include "xenstore/key_parser.hpp"

namespace ringback::xenstore {

std::string directory_of(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  std::string directory;
  for (const char one : name) {
    if (allowed.find(one) != std::string_view::npos)
      directory += one;
    else
      directory += fmt::format("@{:02x}", static_cast<unsigned char>(one));
  }
  return directory;
}

Result<SwitchPolicy> parse_switch_policy(const Keys& keys) {
  Parser parser(keys);
  SwitchPolicy policy;
  policy.snooping = parser.flag("snooping", policy.snooping);
  policy.ageing = parser.number<std::uint32_t>("ageing", policy.ageing, 1, 1'000'000);
  policy.device = parser.text("uplink/device");
  policy.uplink = parser.take(parse_port_policy(keys, "uplink/", "uplink/vlan"));
  if (!parser.has("uplink/router")) policy.uplink.router = true;
  return parser.finish(policy);
}

}  // namespace ringback::xenstore
