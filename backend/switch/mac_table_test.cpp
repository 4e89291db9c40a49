#include "backend/switch/mac_table.hpp"

#include <doctest/doctest.h>

#include <random>

using ringback::backend::MacTable;

namespace {
constexpr std::uint64_t seed = 42;
}

TEST_CASE("an address is found behind the port where it was last seen") {
  MacTable table(1024, seed);
  table.learn(0, 0x00163e000001, 3, 0);
  CHECK(table.find(0, 0x00163e000001, 0) == 3);
  table.learn(0, 0x00163e000001, 7, 1);
  CHECK(table.find(0, 0x00163e000001, 1) == 7);
  CHECK_FALSE(table.find(0, 0x00163e000002, 1));
}

TEST_CASE("an address that was not seen for the ageing time is forgotten") {
  MacTable table(1024, seed, 300);
  table.learn(0, 0x00163e000001, 3, 100);
  CHECK(table.find(0, 0x00163e000001, 400) == 3);
  CHECK_FALSE(table.find(0, 0x00163e000001, 401));
  table.learn(0, 0x00163e000001, 3, 500);
  CHECK(table.find(0, 0x00163e000001, 800) == 3);
}

TEST_CASE("an address that another worker saw a second ahead of this one's clock is new") {
  MacTable table(64, seed);
  table.learn(0, 0x00163e000001, 3, 101);
  CHECK(table.find(0, 0x00163e000001, 100) == 3);
}

TEST_CASE("the addresses of a port that has gone go with it and the others stay") {
  MacTable table(1024, seed);
  table.learn(0, 1 << 4, 3, 0);
  table.learn(0, 2 << 4, 4, 0);
  table.forget(3);
  CHECK_FALSE(table.find(0, 1 << 4, 0));
  CHECK(table.find(0, 2 << 4, 0) == 4);
}

TEST_CASE("a flood of addresses by one port takes no address that another port uses") {
  MacTable table(4096, seed);
  std::mt19937_64 random(1);
  const auto mac = [&] { return random() & 0xfeffffffffff; };
  table.learn(0, 0x00163e000001, 2, 10);
  for (int i = 0; i < 1'000'000; ++i) table.learn(0, mac(), 1, 11);
  CHECK(table.find(0, 0x00163e000001, 11) == 2);
}

TEST_CASE("after a flood has ended a new address finds a place again") {
  MacTable table(4096, seed);
  std::mt19937_64 random(1);
  for (int i = 0; i < 1'000'000; ++i) table.learn(0, random() & 0xfeffffffffff, 1, 10);
  table.learn(0, 0x00163e000001, 2, 15);  // the flooder's are in use as far as anybody knows
  CHECK_FALSE(table.find(0, 0x00163e000001, 15));
  table.learn(0, 0x00163e000001, 2, 20);
  CHECK(table.find(0, 0x00163e000001, 20) == 2);
}

TEST_CASE("a port that has more addresses than there are places keeps the newest") {
  MacTable table(64, seed);
  for (std::uint64_t mac = 1; mac <= 1000; ++mac) table.learn(0, mac << 8, 3, 10);
  CHECK(table.find(0, 1000 << 8, 10) == 3);
}

TEST_CASE("the all-zero address does not match a free place") {
  MacTable table(64, seed);
  CHECK_FALSE(table.find(0, 0, 0));
  table.learn(0, 0, 5, 0);
  CHECK(table.find(0, 0, 0) == 5);
}

TEST_CASE("an address is another one in another VLAN") {
  MacTable table(1024, seed);
  table.learn(10, 0x00163e000001, 3, 0);
  table.learn(20, 0x00163e000001, 4, 0);
  CHECK(table.find(10, 0x00163e000001, 0) == 3);
  CHECK(table.find(20, 0x00163e000001, 0) == 4);
  CHECK_FALSE(table.find(0, 0x00163e000001, 0));
}

TEST_CASE("an address that is kept stays behind its port whoever claims it and however long") {
  MacTable table(1024, seed, 300);
  table.learn(10, 0x00163e000001, 3, 0);
  CHECK(table.keep(10, 0x00163e000001, 4));
  table.learn(10, 0x00163e000001, 3, 1);
  CHECK(table.find(10, 0x00163e000001, 100000) == 4);
  table.forget(4);
  CHECK_FALSE(table.find(10, 0x00163e000001, 1));
  table.learn(10, 0x00163e000001, 3, 2);
  CHECK(table.find(10, 0x00163e000001, 2) == 3);
}

TEST_CASE(
    "a flood of addresses pushes out none that is kept and a bucket full of kept ones says so") {
  MacTable table(8, seed);
  std::size_t room = 0;
  for (std::uint64_t mac = 1; mac <= 8; ++mac) room += table.keep(0, mac << 8, 1);
  CHECK(room == 8);
  CHECK_FALSE(table.keep(0, 9 << 8, 1));
  for (std::uint64_t mac = 1; mac <= 1000; ++mac) table.learn(0, mac << 16, 2, 50);
  for (std::uint64_t mac = 1; mac <= 8; ++mac) CHECK(table.find(0, mac << 8, 1000) == 1);
}
