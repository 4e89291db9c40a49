#include "hypervisor/event_loop.hpp"

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <thread>
#include <vector>

using ringback::hypervisor::Descriptor;
using ringback::hypervisor::EventLoop;
using namespace std::chrono_literals;

TEST_CASE("timers run in the order of their deadlines and a cancelled one never runs") {
  auto loop = EventLoop::open().value();
  std::vector<int> order;
  loop->after(2ms, [&] { order.push_back(2); });
  loop->after(1ms, [&] { order.push_back(1); });
  const auto cancelled = loop->after(0ms, [&] { order.push_back(0); });
  loop->cancel(cancelled);
  loop->after(4ms, [&] { loop->stop(); });
  REQUIRE(loop->run());
  CHECK(order == std::vector{1, 2});
}

TEST_CASE("a callback may remove itself and others whose events are already waiting") {
  auto loop = EventLoop::open().value();
  Descriptor first(eventfd(1, EFD_CLOEXEC)), second(eventfd(1, EFD_CLOEXEC));
  int calls = 0;
  const auto callback = [&](std::uint32_t) {
    ++calls;
    loop->remove(first.get());
    loop->remove(second.get());
  };
  REQUIRE(loop->add(first.get(), EPOLLIN, callback));
  REQUIRE(loop->add(second.get(), EPOLLIN, callback));
  REQUIRE(loop->step(10ms));
  REQUIRE(loop->step(10ms));
  CHECK(calls == 1);
}

TEST_CASE("stop from another thread ends a loop that sleeps") {
  auto loop = EventLoop::open().value();
  std::thread other([&] { loop->stop(); });
  CHECK(loop->run());
  other.join();
}

TEST_CASE("watching a closed descriptor is an error and not a crash") {
  auto loop = EventLoop::open().value();
  CHECK_FALSE(loop->add(-1, EPOLLIN, [](std::uint32_t) {}));
}
