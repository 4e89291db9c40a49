#include "backend/backlog.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>

using ringback::backend::Backlog;

TEST_CASE("frames leave the backlog in order and as they came however they wrap") {
  Backlog backlog;
  std::deque<std::vector<std::byte>> expected;
  std::mt19937 random(5);
  std::size_t refused = 0;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 5 < 3) {
      std::vector<std::byte> frame(1 + random() % 65536, static_cast<std::byte>(step));
      const auto room = backlog.reserve(frame.size());
      if (room.empty()) {
        ++refused;
      } else {
        std::ranges::copy(frame, room.begin());
        backlog.push(room, {});
        expected.push_back(std::move(frame));
      }
    } else if (!backlog.empty()) {
      const std::size_t leaving = 1 + random() % std::min<std::size_t>(backlog.size(), 2);
      for (std::size_t i = 0; i < leaving; ++i) {
        REQUIRE(std::ranges::equal(backlog.bytes(i), expected.front()));
        expected.pop_front();
      }
      backlog.pop(leaving);
    }
    REQUIRE(backlog.size() == expected.size());
  }
  CHECK(refused > 0);
}

TEST_CASE("a backlog has a bound in bytes and one in frames") {
  Backlog backlog;
  std::size_t bytes = 0;
  for (auto room = backlog.reserve(60000); !room.empty(); room = backlog.reserve(60000)) {
    bytes += room.size();
    backlog.push(room, {});
  }
  CHECK(bytes <= Backlog::byte_limit);
  CHECK(bytes > Backlog::byte_limit - 60000);
  backlog.pop(backlog.size());
  for (auto room = backlog.reserve(1); !room.empty(); room = backlog.reserve(1))
    backlog.push(room, {});
  CHECK(backlog.size() == Backlog::frame_limit);
}
