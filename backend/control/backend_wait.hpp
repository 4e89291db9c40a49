// Waits for a backend to say something.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "xenstore/handshake.hpp"
#include "xenstore/store.hpp"

namespace ringback::control {

// libxl's patience with a backend.
inline constexpr std::chrono::seconds backend_patience{10};

// The first state of the backend's directory that is wanted (unknown where it is not there);
// nothing if the time is over first.
Result<std::optional<xenstore::XenbusState>> wait_for_backend(
    xenstore::Store& store, const std::string& backend,
    const std::function<bool(xenstore::XenbusState)>& wanted, std::chrono::milliseconds patience);

}  // namespace ringback::control
