// Both machines against each other over a store that keeps only the latest values, with a toolstack
// and processes that die at any step.
#include <doctest/doctest.h>

#include <random>

#include "xenstore/handshake.hpp"
#include "xenstore/handshake_text.hpp"

using namespace ringback::xenstore;

namespace {

class World {
 public:
  explicit World(unsigned seed) : random_(seed) { plug(); }

  void step() {
    switch (pick(24)) {
      case 0:
        return plug();
      case 1:
        return take_away();
      case 2:
        return unplug();
      case 3:
        hotplug_ = true;
        return;
      case 4:
        return kill_backend();
      case 5:
        return kill_frontend();
      case 6:
        return condemn();
      case 7:
        return carry_out(frontend_.close());
      case 8:
        return carry_out(frontend_.restart());
      case 9:
      case 10:
        return finish_connect(pick(10) != 0);
      case 11:
        return plug_backend();
      case 12:
        backend_exists_ = false;
        return;
      case 13:
        killed_after_ = pick(3);
        return look(pick(2) == 0);
      default:
        return look(pick(2) == 0);
    }
  }

  // Nobody interferes any more: both must come together, on the rings that the frontend has now.
  void leave_alone() {
    if (!backend_exists_ || !frontend_exists_ || !online_) {
      take_away();
      look(true);
      look(false);
      plug();
    }
    hotplug_ = true;
    lacks_ = false;
    for (int round = 0; round < 20; ++round) {
      look(true);
      finish_connect(true);
      look(false);
      if (frontend_.state() == FrontendHandshake::State::closed) carry_out(frontend_.restart());
    }
    CHECK(backend_.state() == BackendHandshake::State::connected);
    CHECK(frontend_.state() == FrontendHandshake::State::running);
    CHECK(backend_state_ == XenbusState::connected);
    CHECK(frontend_state_ == XenbusState::connected);
    CHECK(attached_to_ == shared_);
    CHECK(shared_ != 0);
  }

 private:
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void plug() {
    plug_backend();
    frontend_exists_ = true;
    frontend_state_ = XenbusState::initialising;
    keys_ = 0;
  }
  // Alone: the driver domain has rebooted.
  void plug_backend() {
    backend_exists_ = online_ = true;
    hotplug_ = false;
    backend_state_ = XenbusState::initialising;
  }
  void take_away() { backend_exists_ = frontend_exists_ = false; }
  void unplug() {
    online_ = false;
    if (backend_exists_) backend_state_ = XenbusState::closing;
  }
  void kill_backend() {
    backend_ = {};
    attached_to_ = 0;
    connecting_ = false;
  }
  void kill_frontend() {
    frontend_ = {};
    shared_ = 0;
  }

  // Of its rings. (An offer that failed waits for the frontend to close: it would not come together
  // by itself.)
  void condemn() {
    if (attached_to_ != 0) carry_out(backend_.condemn());
  }

  void look(bool at_backend) {
    fresh_ = true;
    if (at_backend) {
      carry_out(backend_.see(
          {backend_exists_, frontend_exists_, backend_state_, frontend_state_, online_, hotplug_}));
    } else {
      carry_out(
          frontend_.see({frontend_exists_, backend_exists_, frontend_state_, backend_state_}));
    }
    fresh_ = false;
  }

  void finish_connect(bool ok) {
    if (!connecting_) return;
    connecting_ = false;
    ok = ok && attached_to_ == shared_ && shared_ != 0;
    if (!ok) attached_to_ = 0;
    carry_out(backend_.connect_done(ok));
  }

  bool dies_now() { return killed_after_ >= 0 && killed_after_-- == 0; }

  void say(XenbusState& state, XenbusState what) {
    if (fresh_) CHECK(state != what);
    state = what;
  }

  void carry_out(const std::vector<BackendAction>& actions) {
    CAPTURE(to_text(actions));
    for (const auto action : actions) {
      if (dies_now()) return kill_backend();
      switch (action) {
        case BackendAction::offer:
          if (lacks_ && pick(4) == 0) {
            killed_after_ = -1;
            return backend_.postpone_offer();
          }
          backend_state_ = XenbusState::init_wait;
          break;
        case BackendAction::connect:
          CHECK(attached_to_ == 0);
          attached_to_ = keys_ == 0 ? -1 : keys_;
          connecting_ = true;
          break;
        case BackendAction::announce:
          backend_state_ = XenbusState::connected;
          break;
        case BackendAction::disconnect:
          CHECK(attached_to_ != 0);
          attached_to_ = 0;
          connecting_ = false;
          break;
        case BackendAction::say_closing:
          say(backend_state_, XenbusState::closing);
          break;
        case BackendAction::say_closed:
          say(backend_state_, XenbusState::closed);
          break;
        case BackendAction::forget:
          CHECK(attached_to_ == 0);
          break;
      }
    }
    killed_after_ = -1;
  }

  void carry_out(const std::vector<FrontendAction>& actions) {
    CAPTURE(to_text(actions));
    for (const auto action : actions) {
      if (dies_now()) return kill_frontend();
      switch (action) {
        case FrontendAction::initialise:
          say(frontend_state_, XenbusState::initialising);
          break;
        case FrontendAction::connect:
          connect_frontend();
          break;
        case FrontendAction::run:
          CHECK(shared_ != 0);
          break;
        case FrontendAction::disconnect:
          CHECK(shared_ != 0);
          shared_ = 0;
          break;
        case FrontendAction::say_closing:
          say(frontend_state_, XenbusState::closing);
          break;
        case FrontendAction::say_closed:
          say(frontend_state_, XenbusState::closed);
          break;
        case FrontendAction::forget:
          CHECK(shared_ == 0);
          break;
      }
    }
    killed_after_ = -1;
  }

  void connect_frontend() {
    CHECK(shared_ == 0);
    if (const bool ok = pick(10) != 0; !ok) return carry_out(frontend_.connect_done(false));
    keys_ = shared_ = ++generation_;
    say(frontend_state_, XenbusState::connected);
    carry_out(frontend_.connect_done(true));
  }

  std::mt19937 random_;
  BackendHandshake backend_;
  FrontendHandshake frontend_;

  // The store.
  bool backend_exists_ = false, frontend_exists_ = false, online_ = false, hotplug_ = false;
  XenbusState backend_state_{}, frontend_state_{};
  int keys_ = 0;  // which rings the frontend's keys name

  bool lacks_ = true;   // the backend's host may be short of something
  bool fresh_ = false;  // a machine acts on what it has just seen
  int generation_ = 0;
  int shared_ = 0;       // the frontend's rings, 0 if none
  int attached_to_ = 0;  // the rings that the backend is on, 0 if none
  bool connecting_ = false;
  int killed_after_ = -1;  // actions
};

}  // namespace

TEST_CASE("whatever happened the two ends find together when left alone") {
  for (unsigned seed = 0; seed < 2000; ++seed) {  // 120,000 steps
    CAPTURE(seed);
    World world(seed);
    for (unsigned round = 0; round < 10; ++round) {
      for (unsigned i = 0; i < 2 + seed % 10; ++i) world.step();
      world.leave_alone();
    }
  }
}
