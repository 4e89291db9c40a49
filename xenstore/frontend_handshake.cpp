// The frontend's end of the handshake.
//
//          initialise         connect           run
//     idle ---------> waiting -------> connected ---> running
//      |                 ^                 |             |  disconnect; say_closing (we want to
//      stop, or the offer is new) | a connection    |                 +-------------+  or
//      say_closed (the backend has closed) | left by a       |                 v | process before
//      +--- closed <-- closing    says Closed when the backend is Closing,
//      +--------------------------------->          is closed when the backend is
#include <utility>

#include "xenstore/handshake.hpp"

namespace ringback::xenstore {

// One look at the store: what it decides, and the actions on the way. It keeps view_.frontend_state
// what it will be when they are carried out, so no state is written twice.
class FrontendHandshake::Step {
 public:
  explicit Step(FrontendHandshake& machine) : machine_(machine), view_(machine.view_) {}

  void look();
  void look_when_closing();
  void run_if_ready();
  void walk_to_closed();
  std::vector<FrontendAction> take_actions() { return std::move(actions_); }

 private:
  void lose_backend();
  void look_first();
  void look_when_waiting();
  void look_when_connected();
  void look_when_closed();

  bool in(State state) const { return machine_.state_ == state; }
  bool has_rings() const { return in(State::connected) || in(State::running); }
  bool backend_is(XenbusState state) const { return view_.backend_state == state; }
  bool backend_is_closing() const {
    return backend_is(XenbusState::closing) || backend_is(XenbusState::closed);
  }
  bool backend_offers() const {
    return backend_is(XenbusState::initialising) || backend_is(XenbusState::init_wait);
  }
  // Some process has connected and nobody has closed.
  bool is_left_connected() const {
    return view_.frontend_state >= XenbusState::initialised &&
           view_.frontend_state != XenbusState::closed;
  }
  void enter(State state) { machine_.state_ = state; }
  void act(FrontendAction action) { actions_.push_back(action); }

  void say(XenbusState state, FrontendAction action) {
    if (view_.frontend_state == state) return;
    view_.frontend_state = state;
    act(action);
  }
  void say_closed() { say(XenbusState::closed, FrontendAction::say_closed); }
  void let_go() {
    if (!has_rings()) return;
    machine_.awaiting_connect_ = false;
    act(FrontendAction::disconnect);
  }
  void initialise() {
    machine_.wish_ = Wish::when_offered;
    say(XenbusState::initialising, FrontendAction::initialise);
    enter(State::waiting);
    look_when_waiting();
  }

  FrontendHandshake& machine_;
  FrontendView& view_;
  std::vector<FrontendAction> actions_;
};

void FrontendHandshake::Step::look() {
  if (!view_.frontend_exists) {
    if (in(State::gone)) return;
    let_go();
    act(FrontendAction::forget);
    return enter(State::gone);
  }
  // Only the toolstack writes Initialising over what we said: the vif is a new one.
  const bool fresh = view_.frontend_state == XenbusState::initialising && !in(State::waiting) &&
                     !machine_.awaiting_connect_;
  if (in(State::gone) || fresh) {
    let_go();
    enter(machine_.wish_ == Wish::stop ? State::closed : State::idle);
  }
  if (!view_.backend_exists) return lose_backend();
  switch (machine_.state_) {
    case State::idle:
      return look_first();
    case State::waiting:
      return look_when_waiting();
    case State::connected:
    case State::running:
      return look_when_connected();
    case State::closing:
      return look_when_closing();
    case State::closed:
      return look_when_closed();
    case State::gone:
      return;
  }
}

// Nobody answers; the next backend must not take our old keys for new ones.
void FrontendHandshake::Step::lose_backend() {
  if (has_rings() || in(State::closing) || (in(State::idle) && is_left_connected())) {
    let_go();
    say_closed();
    enter(State::closed);
  }
}

// Nothing has been said by this process, but perhaps by one before it.
void FrontendHandshake::Step::look_first() {
  const bool stop = machine_.wish_ == Wish::stop;
  if (!is_left_connected()) return stop ? enter(State::closed) : initialise();
  if (backend_is(XenbusState::unknown)) return;
  if (!stop) machine_.wish_ = Wish::at_once;
  walk_to_closed();
}

// Whatever a closing backend still says belongs to the connection before.
void FrontendHandshake::Step::look_when_waiting() {
  if (!backend_is(XenbusState::init_wait)) return;
  act(FrontendAction::connect);
  machine_.awaiting_connect_ = true;
  enter(State::connected);
}

void FrontendHandshake::Step::look_when_connected() {
  if (backend_is_closing()) {
    let_go();
    enter(State::closing);
    return look_when_closing();  // says Closed
  }
  // An offer made anew. Connecting again right now could look like the old connection to a backend
  // that has not looked in between, so go through Closing.
  if (backend_is(XenbusState::initialising) ||
      (in(State::running) && backend_is(XenbusState::init_wait))) {
    machine_.wish_ = Wish::at_once;
    return walk_to_closed();
  }
  run_if_ready();
}

void FrontendHandshake::Step::run_if_ready() {
  if (!in(State::connected) || machine_.awaiting_connect_) return;
  if (!backend_is(XenbusState::connected)) return;
  act(FrontendAction::run);
  enter(State::running);
}

void FrontendHandshake::Step::walk_to_closed() {
  let_go();
  say(XenbusState::closing, FrontendAction::say_closing);
  enter(State::closing);
  if (!view_.backend_exists) return lose_backend();
  look_when_closing();
}

void FrontendHandshake::Step::look_when_closing() {
  if (backend_is_closing()) say_closed();
  if (view_.frontend_state != XenbusState::closed) return;
  if (!backend_is(XenbusState::closed) && !backend_offers()) return;
  enter(State::closed);
  look_when_closed();
}

void FrontendHandshake::Step::look_when_closed() {
  const bool wanted =
      machine_.wish_ == Wish::at_once || (machine_.wish_ == Wish::when_offered && backend_offers());
  if (wanted && (backend_is(XenbusState::closed) || backend_offers())) initialise();
}

std::vector<FrontendAction> FrontendHandshake::see(const FrontendView& view) {
  view_ = view;
  Step step(*this);
  step.look();
  return step.take_actions();
}

std::vector<FrontendAction> FrontendHandshake::connect_done(bool ok) {
  if (!awaiting_connect_) return {};
  awaiting_connect_ = false;
  Step step(*this);
  if (ok) {
    view_.frontend_state = XenbusState::connected;
    step.run_if_ready();
  } else {
    state_ = State::waiting;
    step.walk_to_closed();
  }
  return step.take_actions();
}

std::vector<FrontendAction> FrontendHandshake::close() {
  wish_ = Wish::stop;
  Step step(*this);
  if (state_ == State::idle) {
    if (view_.frontend_exists) step.look();
  } else if (state_ == State::waiting || state_ == State::connected || state_ == State::running) {
    step.walk_to_closed();
  }
  return step.take_actions();
}

std::vector<FrontendAction> FrontendHandshake::restart() {
  const bool closed = state_ == State::closing || state_ == State::closed;
  wish_ = closed ? Wish::at_once : Wish::when_offered;
  Step step(*this);
  if (view_.frontend_exists && view_.backend_exists) step.look();
  return step.take_actions();
}

}  // namespace ringback::xenstore
