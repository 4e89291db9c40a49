// The backend's end of the handshake.
//
//            offer            connect            announce
//     idle --------> waiting ---------> attached ---------> connected
//                      |  FE Closing: say_closing   |           |
//                      |          +-----------------+-----------+ disconnect
//                      v          v                             v condemn(): disconnect,
//                      say_closing, say_closed
//      closed <----- closing <----+ FE Closed: say_closed    condemned --> closed, once the
//      frontend has closed too
//        |
//        +--> FE Initialising and online: offer again
#include <utility>

#include "xenstore/handshake.hpp"

namespace ringback::xenstore {

namespace {

// Reconfiguring and Reconfigured happen while connected.
bool is_connected(XenbusState state) {
  return state == XenbusState::connected || state == XenbusState::reconfiguring ||
         state == XenbusState::reconfigured;
}

bool is_closing(XenbusState state) {
  return state == XenbusState::closing || state == XenbusState::closed;
}

}  // namespace

// One look at the store: what it decides, and the actions on the way. It keeps view_.backend_state
// what it will be when they are carried out, so no state is written twice.
class BackendHandshake::Step {
 public:
  explicit Step(BackendHandshake& machine) : machine_(machine), view_(machine.view_) {}

  void look(XenbusState frontend_before);
  void condemn();
  void announce_if_ready();
  std::vector<BackendAction> take_actions() { return std::move(actions_); }

 private:
  void look_first();
  void look_at_frontend(XenbusState before);
  void frontend_initialises(bool changed);
  void frontend_connects();
  void frontend_closes();
  void frontend_closed(bool changed);

  bool has_rings() const { return in(State::attached) || in(State::connected); }
  bool in(State state) const { return machine_.state_ == state; }
  void enter(State state) { machine_.state_ = state; }
  void act(BackendAction action) { actions_.push_back(action); }

  void say(XenbusState state) {
    if (view_.backend_state == state) return;
    view_.backend_state = state;
    act(state == XenbusState::closing ? BackendAction::say_closing : BackendAction::say_closed);
  }
  void let_go() {
    if (!has_rings()) return;
    machine_.awaiting_connect_ = false;
    act(BackendAction::disconnect);
  }
  void close() {
    let_go();
    say(XenbusState::closed);
    enter(State::closed);
  }
  // The way from Connected to InitWait leads through Closing and Closed (note 33).
  void offer() {
    if (is_connected(view_.backend_state)) say(XenbusState::closing);
    if (view_.backend_state == XenbusState::closing) say(XenbusState::closed);
    act(BackendAction::offer);
    machine_.before_offer_ = in(State::idle) ? State::idle : State::closed;
    view_.backend_state = XenbusState::init_wait;
    enter(State::waiting);
  }
  void connect() {
    act(BackendAction::connect);
    machine_.awaiting_connect_ = true;
    enter(State::attached);
  }

  BackendHandshake& machine_;
  BackendView& view_;
  std::vector<BackendAction> actions_;
};

void BackendHandshake::Step::look(XenbusState frontend_before) {
  if (!view_.backend_exists) {
    if (in(State::gone)) return;
    let_go();
    act(BackendAction::forget);
    return enter(State::gone);
  }
  const bool fresh = view_.backend_state == XenbusState::initialising;
  if (in(State::gone) || fresh) {  // made, or made anew, by the toolstack
    let_go();
    enter(State::idle);
  }
  if (!view_.frontend_exists) {
    // The frontend's directory may come after ours, where the two are made by hand.
    if (in(State::idle) && (fresh || view_.backend_state == XenbusState::unknown)) return;
    return close();
  }
  if (!view_.online && view_.backend_state == XenbusState::closing) return close();  // note 34
  if ((in(State::waiting) || has_rings()) && is_closing(view_.backend_state)) {
    close();  // somebody else closed it: as if it had misbehaved
    return enter(State::condemned);
  }
  if (in(State::idle)) return look_first();
  look_at_frontend(frontend_before);
}

// Nothing has been said by this process, but perhaps by one before it.
void BackendHandshake::Step::look_first() {
  const auto ours = view_.backend_state;
  if (ours == XenbusState::unknown) return;  // not all there yet
  const auto frontend = view_.frontend_state;
  if (frontend == XenbusState::initialised || is_connected(frontend)) {
    if (is_closing(ours)) {
      say(XenbusState::closed);
      enter(State::condemned);
    } else if (is_connected(ours) || ours == XenbusState::init_wait) {
      // Perhaps to rings that were in use before.
      connect();
    } else if (view_.online) {  // it did not wait for the offer (MiniOS)
      offer();
      connect();
    }
  } else if (frontend == XenbusState::closing) {
    if (ours != XenbusState::closed) say(XenbusState::closing);
    enter(ours == XenbusState::closed ? State::closed : State::closing);
  } else if (frontend == XenbusState::closed &&
             (is_connected(ours) || ours == XenbusState::closing)) {
    close();
  } else if (view_.online) {
    offer();
  }
}

void BackendHandshake::Step::look_at_frontend(XenbusState before) {
  const bool changed = before != view_.frontend_state;
  switch (view_.frontend_state) {
    case XenbusState::initialising:
      return frontend_initialises(changed);
    case XenbusState::initialised:
    case XenbusState::connected:
      return frontend_connects();
    case XenbusState::closing:
      return frontend_closes();
    case XenbusState::closed:
      return frontend_closed(changed);
    default:
      return;
  }
}

void BackendHandshake::Step::frontend_initialises(bool changed) {
  if (in(State::waiting) || (in(State::condemned) && !changed)) return;
  if (has_rings() && !is_connected(view_.backend_state)) {
    let_go();
    enter(State::waiting);  // the offer still stands
  } else if (view_.online) {
    let_go();
    offer();
  } else {
    close();
  }
}

void BackendHandshake::Step::frontend_connects() {
  if (in(State::attached)) return announce_if_ready();
  if (in(State::waiting)) return connect();
  // It closed and came back between two looks.
  if ((in(State::closing) || in(State::closed)) && view_.online) {
    offer();
    connect();
  }
}

void BackendHandshake::Step::frontend_closes() {
  // Windows closes once before it connects.
  if (!in(State::waiting) && !has_rings()) return;
  let_go();
  say(XenbusState::closing);
  enter(State::closing);
}

void BackendHandshake::Step::frontend_closed(bool changed) {
  // It may have been closed already when it was offered.
  if ((in(State::waiting) || in(State::condemned)) && !changed) return;
  close();
}

void BackendHandshake::Step::announce_if_ready() {
  if (machine_.awaiting_connect_) return;
  // A daemon before this one may have said it: no script will run again.
  if (!view_.hotplug_connected && !is_connected(view_.backend_state)) return;
  act(BackendAction::announce);
  view_.backend_state = XenbusState::connected;
  enter(State::connected);
}

void BackendHandshake::Step::condemn() {
  let_go();
  say(XenbusState::closing);
  say(XenbusState::closed);
  enter(State::condemned);
}

std::vector<BackendAction> BackendHandshake::see(const BackendView& view) {
  const auto before = std::exchange(view_, view);
  Step step(*this);
  step.look(before.frontend_state);
  return step.take_actions();
}

std::vector<BackendAction> BackendHandshake::connect_done(bool ok) {
  if (!awaiting_connect_) return {};
  awaiting_connect_ = false;
  Step step(*this);
  if (ok) {
    step.announce_if_ready();
  } else {
    state_ = State::waiting;
    step.condemn();
  }
  return step.take_actions();
}

void BackendHandshake::postpone_offer() {
  state_ = before_offer_;
  awaiting_connect_ = false;
}

std::vector<BackendAction> BackendHandshake::condemn() {
  if (state_ != State::waiting && state_ != State::attached && state_ != State::connected)
    return {};
  Step step(*this);
  step.condemn();
  return step.take_actions();
}

}  // namespace ringback::xenstore
