// `ringback vif list`: every vif that the store knows, as a table or as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "xenstore/store.hpp"

namespace ringback::backend::control {

// An array of objects: domain, device, backend, mac, state, frontend_state, port, queues, error.
Result<nlohmann::json> list_vifs(xenstore::Store& store);
std::string as_table(const nlohmann::json& vifs);

}  // namespace ringback::backend::control
