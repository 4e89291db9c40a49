// A rate as people write it: xl's "10Mb/s" or "2MB/s@20ms" (b bits, B bytes; K, M, G are powers of
// 1000), or the store's own "bytes,microseconds". Pure.
#pragma once

#include <string_view>

#include "xenstore/vif_keys.hpp"

namespace ringback::control {

Result<xenstore::Rate> parse_rate_option(std::string_view text);

}  // namespace ringback::control
