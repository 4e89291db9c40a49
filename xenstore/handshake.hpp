// The xenbus handshake as seen from each end: pure state machines. State and what the store says
// in, actions out; the caller carries them out in order and reports back. (xen/io/xenbus.h; notes
// 31 to 38)
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

// What a backend sees of its device whenever a watch fires. Always a full, fresh picture: events
// coalesce, and a machine that only looks at the present can't miss one.
struct BackendView {
  bool backend_exists = false;                       // BE is there
  bool frontend_exists = false;                      // FE is there
  XenbusState backend_state = XenbusState::unknown;  // ours, or what the toolstack wrote over it
  XenbusState frontend_state = XenbusState::unknown;
  bool online = true;
  bool hotplug_connected = false;  // hotplug-status = "connected", or no hotplug is awaited
};

enum class BackendAction : std::uint8_t {
  offer,     // make the network device if there is none, publish the features, then write InitWait
  connect,   // make the device if there is none (a daemon started anew), read and check the
             // frontend's keys, map, bind, run; report connect_done()
  announce,  // carrier on, and write Connected if it is not there yet
  disconnect,   // stop, unmap, unbind; a connect that is still under way is given up and not
                // reported
  say_closing,  // write Closing
  say_closed,   // write Closed
  forget,       // drop the device: nothing of it is left
};

class BackendHandshake {
 public:
  // idle: not offered; waiting: offered, no rings; attached: connecting, or rings run but Connected
  // is not yet said (hotplug pending); connected; closing: said Closing, waits for the frontend's
  // Closed; closed: said Closed, may start over; condemned: refused or misbehaved, waits for the
  // frontend to close or go; gone.
  enum class State : std::uint8_t {
    idle,
    waiting,
    attached,
    connected,
    closing,
    closed,
    condemned,
    gone
  };

  std::vector<BackendAction> see(const BackendView& view);
  // The result of BackendAction::connect. A connect that failed has left nothing to disconnect; the
  // vif is condemned: Closing, Closed, with an error node that the caller writes.
  std::vector<BackendAction> connect_done(bool ok);
  // The guest misbehaved while connected, or an offer could not be carried out.
  std::vector<BackendAction> condemn();
  // An offer, and what was to come after it, can't be carried out yet: it is made again at the next
  // look, where the guest still waits for it.
  void postpone_offer();

  State state() const { return state_; }
  // What the store has as ours, once all actions are carried out.
  XenbusState said() const { return view_.backend_state; }

 private:
  class Step;

  State state_ = State::idle;
  State before_offer_ = State::idle;  // the last one
  bool awaiting_connect_ = false;
  BackendView view_;
};
const char* name(BackendHandshake::State state);

struct FrontendView {
  bool frontend_exists = false;
  bool backend_exists = false;
  XenbusState frontend_state = XenbusState::unknown;
  XenbusState backend_state = XenbusState::unknown;
};

enum class FrontendAction : std::uint8_t {
  initialise,  // write Initialising
  connect,     // share rings, make event channels, publish the keys and write Connected; report
               // connect_done()
  run,         // the backend is Connected: carrier on
  disconnect,  // stop, take the rings back
  say_closing,
  say_closed,
  forget,
};

class FrontendHandshake {
 public:
  // idle: nothing said; waiting: said Initialising, waits for InitWait; connected: rings shared;
  // running: the backend is Connected too; closing: said Closing, waits for the backend to close;
  // closed; gone.
  enum class State : std::uint8_t { idle, waiting, connected, running, closing, closed, gone };

  std::vector<FrontendAction> see(const FrontendView& view);
  // A connect that failed has left nothing to disconnect.
  std::vector<FrontendAction> connect_done(bool ok);
  // This side wants to stop: Closing, Closed. It stays closed (idle, if it has seen nothing) until
  // restart().
  std::vector<FrontendAction> close();
  // Start over after close(), or after the backend closed. A backend that offers again (a new
  // daemon, a new vif) needs no restart().
  std::vector<FrontendAction> restart();

  State state() const { return state_; }

 private:
  class Step;
  enum class Wish : std::uint8_t { stop, when_offered, at_once };  // to start over, once closed

  State state_ = State::idle;
  bool awaiting_connect_ = false;
  Wish wish_ = Wish::when_offered;
  FrontendView view_;
};
const char* name(FrontendHandshake::State state);

}  // namespace ringback::xenstore
