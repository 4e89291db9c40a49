#include "xenstore/keys.hpp"

#include "xenstore/key_parser.hpp"

namespace ringback::xenstore {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<Mac> parse_mac(std::string_view text) {
  constexpr const char* wanted = "six bytes like 00:16:3e:01:02:03";
  Mac mac{};
  if (text.size() != mac.size() * 3 - 1) return refuse("mac", text, wanted);
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const int high = hex_digit(text[i * 3]);
    const int low = hex_digit(text[i * 3 + 1]);
    const bool separated = i + 1 == mac.size() || text[i * 3 + 2] == ':';
    if (high < 0 || low < 0 || !separated) return refuse("mac", text, wanted);
    mac[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if ((mac[0] & 1) != 0) return refuse("mac", text, "one station's, not a multicast address");
  return mac;
}

std::string to_string(const Mac& mac) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : mac) {
    if (!text.empty()) text += ':';
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace ringback::xenstore
