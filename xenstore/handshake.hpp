// The xenbus handshake as seen from each end: pure state machines. State and what the store says in, actions out; the
// caller carries them out in order and reports back. (xen/io/xenbus.h; notes 31 to 38)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ringback::xenstore {

enum class XenbusState : std::uint8_t {
  unknown = 0,
  initialising = 1,
  init_wait = 2,
  initialised = 3,
  connected = 4,
  closing = 5,
  closed = 6,
  reconfiguring = 7,
  reconfigured = 8,
};
const char* name(XenbusState state);
// An empty, missing or foolish value is unknown.
XenbusState parse_xenbus_state(std::optional<std::string_view> text);

// What a backend sees of its device whenever a watch fires. Always a full, fresh picture: events coalesce, and a machine
// that only looks at the present can't miss one.
struct BackendView {
  bool backend_exists = false;      // BE is there
  bool frontend_exists = false;     // FE is there
  XenbusState backend_state = XenbusState::unknown;   // ours, or what the toolstack wrote over it
  XenbusState frontend_state = XenbusState::unknown;
  bool online = true;
  bool hotplug_connected = false;   // hotplug-status = "connected", or no hotplug is awaited
};

enum class BackendAction : std::uint8_t {
  offer,        // make the network device, publish the features, then write InitWait
  connect,      // read and check the frontend's keys, map, bind, run; report connect_done()
  announce,     // write Connected
  disconnect,   // stop, unmap, unbind
  say_closing,  // write Closing
  say_closed,   // write Closed
  forget,       // drop the device: nothing of it is left
};

class BackendHandshake {
 public:
  // idle: not offered; waiting: offered, no rings; attached: rings run, Connected not yet said (hotplug pending);
  // connected; closed: said Closed, may start over; condemned: refused or misbehaved, waits for the frontend to
  // close or go; gone.
  enum class State : std::uint8_t { idle, waiting, attached, connected, closed, condemned, gone };

  std::vector<BackendAction> see(const BackendView& view);
  // The result of BackendAction::connect. On failure the vif is condemned: Closing, Closed, with an error node that the
  // caller writes.
  std::vector<BackendAction> connect_done(bool ok);
  // The guest misbehaved while connected.
  std::vector<BackendAction> condemn();

  State state() const { return state_; }

 private:
  State state_ = State::idle;
  bool awaiting_connect_ = false;
  BackendView view_;
};

struct FrontendView {
  bool frontend_exists = false;
  bool backend_exists = false;
  XenbusState frontend_state = XenbusState::unknown;
  XenbusState backend_state = XenbusState::unknown;
};

enum class FrontendAction : std::uint8_t {
  initialise,   // write Initialising
  connect,      // share rings, make event channels, publish the keys and write Connected; report connect_done()
  run,          // the backend is Connected: carrier on
  disconnect,   // stop, take the rings back
  say_closing,
  say_closed,
  forget,
};

class FrontendHandshake {
 public:
  enum class State : std::uint8_t { idle, waiting, connected, running, closed, gone };

  std::vector<FrontendAction> see(const FrontendView& view);
  std::vector<FrontendAction> connect_done(bool ok);
  // This side wants to stop: Closing, Closed.
  std::vector<FrontendAction> close();

  State state() const { return state_; }

 private:
  State state_ = State::idle;
  bool awaiting_connect_ = false;
  bool stopping_ = false;
  FrontendView view_;
};

}  // namespace ringback::xenstore
