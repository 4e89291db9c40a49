#include "backend/control/backend_wait.hpp"

#include <poll.h>

namespace ringback::control {

namespace {

using Clock = std::chrono::steady_clock;

// Forgets the events that have come; what they were about is read anyway.
Result<void> drain(xenstore::Store& store) {
  for (;;) {
    const auto event = store.next_event();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return {};
  }
}

}  // namespace

Result<std::optional<xenstore::XenbusState>> wait_for_backend(
    xenstore::Store& store, const std::string& backend,
    const std::function<bool(xenstore::XenbusState)>& wanted, std::chrono::milliseconds patience) {
  const auto path = backend + "/state";
  const auto deadline = Clock::now() + patience;
  if (auto watched = store.watch(path, path); !watched) return tl::unexpected(watched.error());
  for (;;) {
    if (auto drained = drain(store); !drained) return tl::unexpected(drained.error());
    const auto text = store.read(path);
    if (!text) return tl::unexpected(text.error());
    const auto state = xenstore::parse_xenbus_state(*text);
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (wanted(state) || left <= 0) {
      store.unwatch(path, path);
      return wanted(state) ? std::optional(state) : std::nullopt;
    }
    pollfd ready = {store.fd(), POLLIN, 0};
    poll(&ready, 1, static_cast<int>(left));
  }
}

}  // namespace ringback::control
