#include "backend/poll_window.hpp"

#include <doctest/doctest.h>

using ringback::backend::PollWindow;
using namespace std::chrono_literals;

namespace {

struct Polling {
  PollWindow window{50us};
  PollWindow::Clock::time_point now{};

  // How long it looks for work that never comes, to the microsecond.
  std::chrono::microseconds looks_for() {
    const auto begun = now;
    while (window.looks_on(now)) now += 1us;
    return std::chrono::duration_cast<std::chrono::microseconds>(now - begun);
  }
  // Work comes so long after the last, once it sleeps.
  void work_after(std::chrono::microseconds pause) {
    const auto begun = now;
    looks_for();
    now = std::max(now, begun + pause);
    window.woken(now);
    window.worked();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Polling, "a worker that was never woken soon sleeps at once") {
  CHECK(looks_for() == 0us);
  work_after(1ms);
  CHECK(looks_for() == 0us);
}

TEST_CASE_FIXTURE(Polling, "after short sleeps it looks for longer and longer, up to what it may") {
  work_after(20us);
  CHECK(looks_for() == 10us);
  window.worked();
  work_after(20us);
  CHECK(looks_for() == 20us);
  window.worked();
  work_after(45us);
  window.worked();
  work_after(49us);
  CHECK(looks_for() == 50us);
}

TEST_CASE_FIXTURE(Polling, "after a few long sleeps it sleeps at once again") {
  for (int i = 0; i < 4; ++i) work_after(40us);
  CHECK(looks_for() == 50us);
  window.worked();
  for (int i = 0; i < 3; ++i) work_after(200us);
  CHECK(looks_for() == 0us);
}

TEST_CASE_FIXTURE(Polling, "work that is found by looking leaves the window as it is") {
  for (int i = 0; i < 4; ++i) work_after(40us);
  for (int i = 0; i < 100; ++i) {
    CHECK(window.looks_on(now));
    now += 30us;
    CHECK(window.looks_on(now));
    window.worked();
    now += 100us;
  }
  CHECK(looks_for() == 50us);
}

TEST_CASE("where it may not poll it never does") {
  PollWindow window(0us);
  CHECK(window.never());
  PollWindow::Clock::time_point now{};
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(window.looks_on(now));
    window.woken(now);
    window.worked();
  }
}
