// What all keys of a device are made of. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "hypervisor/result.hpp"

namespace ringback::xenstore {

// Relative key to value, as read from a directory of the store in one go ("queue-0/tx-ring-ref"
// included).
using Keys = std::map<std::string, std::string, std::less<>>;
using KeyNames = std::set<std::string, std::less<>>;

using Mac = std::array<std::uint8_t, 6>;
Result<Mac> parse_mac(std::string_view text);
std::string to_string(const Mac& mac);

}  // namespace ringback::xenstore
