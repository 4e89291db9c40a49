#include "xenstore/handshake.hpp"

#include <doctest/doctest.h>

#include "xenstore/handshake_text.hpp"

using namespace ringback::xenstore;

namespace {

using Back = BackendHandshake::State;
using Front = FrontendHandshake::State;

XenbusState state(int number) {
  return static_cast<XenbusState>(number);
}

// A store with one device in it: actions write to it, as their caller would.
struct BackendWalk {
  BackendHandshake machine;
  BackendView view{.backend_exists = true,
                   .frontend_exists = true,
                   .backend_state = state(1),
                   .frontend_state = state(1)};

  std::string carry_out(const std::vector<BackendAction>& actions) {
    for (const auto action : actions) {
      if (action == BackendAction::offer) view.backend_state = XenbusState::init_wait;
      if (action == BackendAction::announce) view.backend_state = XenbusState::connected;
      if (action == BackendAction::say_closing) view.backend_state = XenbusState::closing;
      if (action == BackendAction::say_closed) view.backend_state = XenbusState::closed;
    }
    return to_text(actions);
  }
  std::string look() {
    auto text = carry_out(machine.see(view));
    CHECK(machine.see(view).empty());  // nothing new: nothing to do
    return text;
  }
  std::string frontend(int number) {
    view.frontend_state = state(number);
    return look();
  }
  std::string connected(bool ok = true) { return carry_out(machine.connect_done(ok)); }
  std::string hotplug() {
    view.hotplug_connected = true;
    return look();
  }
  std::string unplug() {
    view.online = false;
    view.backend_state = XenbusState::closing;
    return look();
  }
  std::string destroy() {
    view.backend_exists = view.frontend_exists = false;
    return look();
  }
  void run() {
    look();
    hotplug();
    frontend(4);
    connected();
    CHECK(machine.state() == Back::connected);
  }
  void start_with(int backend, int frontend) {
    view.backend_state = state(backend);
    view.frontend_state = state(frontend);
  }
};

struct FrontendWalk {
  FrontendHandshake machine;
  FrontendView view{.frontend_exists = true,
                    .backend_exists = true,
                    .frontend_state = state(1),
                    .backend_state = state(1)};

  std::string carry_out(const std::vector<FrontendAction>& actions) {
    for (const auto action : actions) {
      if (action == FrontendAction::initialise) view.frontend_state = XenbusState::initialising;
      if (action == FrontendAction::say_closing) view.frontend_state = XenbusState::closing;
      if (action == FrontendAction::say_closed) view.frontend_state = XenbusState::closed;
    }
    return to_text(actions);
  }
  std::string look() {
    auto text = carry_out(machine.see(view));
    CHECK(machine.see(view).empty());
    return text;
  }
  std::string backend(int number) {
    view.backend_state = state(number);
    return look();
  }
  std::string connected(bool ok = true) {
    if (ok) view.frontend_state = XenbusState::connected;
    return carry_out(machine.connect_done(ok));
  }
  void run() {
    look();
    backend(2);
    connected();
    backend(4);
    CHECK(machine.state() == Front::running);
  }
  void start_with(int backend, int frontend) {
    view.backend_state = state(backend);
    view.frontend_state = state(frontend);
  }
};

}  // namespace

TEST_CASE("a state that is missing or foolish is unknown") {
  CHECK(parse_xenbus_state("4") == XenbusState::connected);
  CHECK(parse_xenbus_state("8") == XenbusState::reconfigured);
  for (const char* text : {"", "9", "-1", "44", "4 ", "x"}) {
    CHECK(parse_xenbus_state(text) == XenbusState::unknown);
  }
  CHECK(parse_xenbus_state(std::nullopt) == XenbusState::unknown);
}

TEST_CASE("a Linux guest connects and announces once hotplug is done") {
  BackendWalk walk;
  CHECK(walk.look() == "offer");
  CHECK(walk.frontend(4) == "connect");
  CHECK(walk.connected() == "");
  CHECK(walk.machine.state() == Back::attached);
  CHECK(walk.hotplug() == "announce");
  CHECK(walk.machine.state() == Back::connected);
}

TEST_CASE("hotplug that is done before the frontend connects is remembered") {
  BackendWalk walk;
  walk.look();
  CHECK(walk.hotplug() == "");
  CHECK(walk.frontend(4) == "connect");
  CHECK(walk.connected() == "announce");
}

TEST_CASE("a frontend that connects without waiting for the offer is served") {
  BackendWalk walk;
  walk.view.frontend_state = XenbusState::connected;  // MiniOS
  CHECK(walk.look() == "offer connect");
}

TEST_CASE("a frontend that closes before it connects is answered and may start over") {
  BackendWalk walk;  // Windows
  walk.look();
  CHECK(walk.frontend(5) == "say_closing");
  CHECK(walk.frontend(6) == "say_closed");
  CHECK(walk.frontend(1) == "offer");
  CHECK(walk.frontend(4) == "connect");
}

TEST_CASE("a frontend that closes and comes back is offered again") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.frontend(5) == "disconnect say_closing");
  CHECK(walk.frontend(6) == "say_closed");
  CHECK(walk.frontend(1) == "offer");
  CHECK(walk.frontend(4) == "connect");
  CHECK(walk.connected() == "announce");
}

TEST_CASE("a frontend may jump straight to closed") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.frontend(6) == "disconnect say_closed");
}

TEST_CASE("from connected to the next offer leads through closing and closed") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.frontend(1) == "disconnect say_closing say_closed offer");
}

TEST_CASE("a reconnection seen only when it is complete is served") {
  BackendWalk walk;
  walk.run();
  walk.frontend(6);
  CHECK(walk.frontend(4) == "offer connect");
}

TEST_CASE("an unplug is answered without waiting for the frontend") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.unplug() == "disconnect say_closed");
  CHECK(walk.frontend(6) == "");
  CHECK(walk.frontend(1) == "");
  CHECK(walk.destroy() == "forget");
  CHECK(walk.machine.state() == Back::gone);
}

TEST_CASE("an unplug after the frontend has closed is answered again") {
  BackendWalk walk;
  walk.run();
  walk.frontend(6);
  CHECK(walk.unplug() == "say_closed");
}

TEST_CASE("a guest that shuts down is let go step by step") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.frontend(5) == "disconnect say_closing");
  CHECK(walk.unplug() == "say_closed");
  CHECK(walk.destroy() == "forget");
}

TEST_CASE("a guest that is destroyed is let go at once") {
  BackendWalk walk;
  walk.run();
  walk.view.frontend_exists = false;
  CHECK(walk.look() == "disconnect say_closed");
  CHECK(walk.unplug() == "say_closed");
  CHECK(walk.destroy() == "forget");
}

TEST_CASE("a device that vanishes under traffic is disconnected and forgotten") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.destroy() == "disconnect forget");
}

TEST_CASE("a device made anew between two looks is offered again") {
  BackendWalk walk;
  walk.run();
  walk.start_with(1, 1);
  CHECK(walk.look() == "disconnect offer");
}

TEST_CASE("a frontend whose keys are refused is condemned until it closes") {
  BackendWalk walk;
  walk.look();
  walk.frontend(4);
  CHECK(walk.connected(false) == "say_closing say_closed");
  CHECK(walk.machine.state() == Back::condemned);
  CHECK(walk.frontend(5) == "");
  CHECK(walk.frontend(6) == "");
  CHECK(walk.machine.state() == Back::closed);
  CHECK(walk.frontend(1) == "offer");
}

TEST_CASE("a guest that misbehaves is condemned and may start over") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.carry_out(walk.machine.condemn()) == "disconnect say_closing say_closed");
  CHECK(walk.machine.condemn().empty());
  CHECK(walk.look() == "");
  CHECK(walk.frontend(1) == "offer");
  CHECK(walk.frontend(4) == "connect");
}

TEST_CASE("an offer that failed is not tried again by itself") {
  BackendWalk walk;
  walk.machine.see(walk.view);
  CHECK(walk.carry_out(walk.machine.condemn()) == "say_closing say_closed");
  CHECK(walk.look() == "");
  CHECK(walk.frontend(6) == "");
  CHECK(walk.frontend(1) == "offer");
}

TEST_CASE(
    "an offer that can't be made yet is made at a later look, and what was to come after it") {
  BackendWalk walk;
  CHECK(to_text(walk.machine.see(walk.view)) == "offer");
  walk.machine.postpone_offer();
  walk.view.frontend_state = state(4);  // it did not wait for it
  CHECK(to_text(walk.machine.see(walk.view)) == "offer connect");
  walk.machine.postpone_offer();
  CHECK(walk.machine.connect_done(true).empty());
  CHECK(to_text(walk.machine.see(walk.view)) == "offer connect");
}

TEST_CASE("an offer to start over that can't be made yet is made at a later look") {
  BackendWalk walk;
  walk.run();
  walk.frontend(6);
  walk.view.frontend_state = state(1);
  CHECK(to_text(walk.machine.see(walk.view)) == "offer");
  walk.machine.postpone_offer();
  walk.view.frontend_state = state(6);
  CHECK(to_text(walk.machine.see(walk.view)).empty());
  walk.view.frontend_state = state(4);  // without waiting
  CHECK(to_text(walk.machine.see(walk.view)) == "offer connect");
  walk.machine.postpone_offer();
  CHECK(walk.look() == "offer connect");
}

TEST_CASE("a connect that is under way is given up when the frontend closes") {
  BackendWalk walk;
  walk.look();
  walk.frontend(4);
  CHECK(walk.frontend(5) == "disconnect say_closing");
  CHECK(walk.connected() == "");
}

TEST_CASE("a daemon that finds a running vif resumes it without changing its state") {
  BackendWalk walk;
  walk.start_with(4, 4);
  CHECK(walk.look() == "connect");
  CHECK(walk.connected() == "announce");
  CHECK(walk.machine.state() == Back::connected);
}

TEST_CASE("a daemon picks up what the one before it left") {
  struct Left {
    int backend, frontend;
    const char* actions;
  };
  for (const auto& left : {
           Left{0, 1, ""},
           Left{2, 1, "offer"},
           Left{1, 4, "offer connect"},
           Left{2, 4, "connect"},
           Left{2, 5, "say_closing"},
           Left{2, 6, "offer"},
           Left{4, 1, "say_closing say_closed offer"},
           Left{4, 5, "say_closing"},
           Left{4, 6, "say_closed"},
           Left{5, 1, "say_closed offer"},
           Left{5, 4, "say_closed"},
           Left{5, 5, ""},
           Left{5, 6, "say_closed"},
           Left{6, 1, "offer"},
           Left{6, 4, ""},
           Left{6, 5, ""},
           Left{6, 6, "offer"},
       }) {
    CAPTURE(left.backend);
    CAPTURE(left.frontend);
    BackendWalk walk;
    walk.start_with(left.backend, left.frontend);
    CHECK(walk.look() == left.actions);
  }
}

TEST_CASE("a backend made before its frontend waits for it") {
  BackendWalk walk;
  walk.view.frontend_exists = false;
  CHECK(walk.look() == "");
  walk.view.frontend_exists = true;
  CHECK(walk.look() == "offer");
}

TEST_CASE("reconfiguring leaves the rings alone") {
  BackendWalk walk;
  walk.run();
  CHECK(walk.frontend(7) == "");
  CHECK(walk.frontend(4) == "");
  CHECK(walk.machine.state() == Back::connected);
}

TEST_CASE("a frontend connects to what is offered and runs when it is taken") {
  FrontendWalk walk;
  CHECK(walk.look() == "");
  CHECK(walk.backend(2) == "connect");
  CHECK(walk.connected() == "");
  CHECK(walk.backend(4) == "run");
  CHECK(walk.machine.state() == Front::running);
}

TEST_CASE("a frontend follows a backend that closes and waits to be asked again") {
  for (const bool seen_closing : {true, false}) {
    FrontendWalk walk;
    walk.run();
    if (seen_closing) {
      CHECK(walk.backend(5) == "disconnect say_closed");
      CHECK(walk.backend(6) == "");
    } else {
      CHECK(walk.backend(6) == "disconnect say_closed");
    }
    CHECK(walk.machine.state() == Front::closed);
    CHECK(walk.backend(2) == "initialise connect");
  }
}

TEST_CASE("a frontend that closes answers step by step and stays closed") {
  FrontendWalk walk;
  walk.run();
  CHECK(walk.carry_out(walk.machine.close()) == "disconnect say_closing");
  CHECK(walk.backend(5) == "say_closed");
  CHECK(walk.backend(6) == "");
  CHECK(walk.machine.state() == Front::closed);
  CHECK(walk.backend(2) == "");
  CHECK(walk.carry_out(walk.machine.restart()) == "initialise connect");
}

TEST_CASE("a frontend asked to restart while it closes does so afterwards") {
  FrontendWalk walk;
  walk.run();
  walk.carry_out(walk.machine.close());
  CHECK(walk.carry_out(walk.machine.restart()) == "");
  CHECK(walk.backend(5) == "say_closed");
  CHECK(walk.backend(6) == "initialise");
  CHECK(walk.backend(2) == "connect");
}

TEST_CASE("a frontend whose backend offers anew closes first so that it is noticed") {
  FrontendWalk walk;
  walk.run();
  CHECK(walk.backend(2) == "disconnect say_closing");
  CHECK(walk.backend(5) == "say_closed");
  CHECK(walk.backend(6) == "initialise");
  CHECK(walk.backend(2) == "connect");
}

TEST_CASE("a frontend whose backend is gone lets go and waits for the next") {
  FrontendWalk walk;
  walk.run();
  walk.view.backend_exists = false;
  CHECK(walk.look() == "disconnect say_closed");
  walk.view.backend_exists = true;
  CHECK(walk.backend(1) == "initialise");
  CHECK(walk.backend(2) == "connect");
}

TEST_CASE("a frontend whose vif is taken away forgets it and takes the next") {
  FrontendWalk walk;
  walk.run();
  walk.view.frontend_exists = walk.view.backend_exists = false;
  CHECK(walk.look() == "disconnect forget");
  walk.view.frontend_exists = walk.view.backend_exists = true;
  walk.start_with(2, 1);
  CHECK(walk.look() == "connect");
}

TEST_CASE("a frontend whose vif is made anew between two looks connects to the new one") {
  FrontendWalk walk;
  walk.run();
  walk.start_with(2, 1);
  CHECK(walk.look() == "disconnect connect");
}

TEST_CASE("a frontend that finds an old connection closes it first") {
  FrontendWalk walk;
  walk.start_with(4, 4);
  CHECK(walk.look() == "say_closing");
  CHECK(walk.backend(5) == "say_closed");
  CHECK(walk.backend(6) == "initialise");
}

TEST_CASE("a frontend that can share no rings closes and does not try again by itself") {
  FrontendWalk walk;
  walk.look();
  walk.backend(2);
  CHECK(walk.connected(false) == "say_closing");
  CHECK(walk.backend(5) == "say_closed");
  CHECK(walk.backend(6) == "");
  CHECK(walk.machine.state() == Front::closed);
}
