// xl's syntax for rates: "10Mb/s", "250KB/s", "1MB/s@20ms" (xl-network-configuration.5), or the "bytes,usec" that it becomes.
#pragma once

#include "xenstore/vif_keys.hpp"

namespace ringback::backend::control {

Result<xenstore::Rate> parse_rate_option(const std::string& text);

}  // namespace ringback::backend::control
