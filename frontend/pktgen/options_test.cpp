#include "frontend/pktgen/options.hpp"

#include <doctest/doctest.h>

#include <numeric>

namespace ringback::frontend {

TEST_CASE("Sizes are one or several or imix and within what a frame can have") {
  CHECK(parse_sizes("60") == std::vector<std::size_t>{60});
  CHECK(parse_sizes("60,65535") == std::vector<std::size_t>{60, 65535});
  const auto imix = parse_sizes("imix");
  REQUIRE(imix);
  CHECK(std::accumulate(imix->begin(), imix->end(), std::size_t{0}) == 7 * 60 + 4 * 590 + 1514);
  for (const auto* text : {"", "59", "65536", "60,", ",60", "60 70", "-60", "big"}) {
    const auto sizes = parse_sizes(text);
    REQUIRE_FALSE(sizes);
    CHECK(sizes.error().what.find("from 60 to 65535") != std::string::npos);
  }
}

TEST_CASE("Vifs are numbers and ranges and each is named once") {
  CHECK(parse_devices("0") == std::vector<std::uint32_t>{0});
  CHECK(parse_devices("3,0-2") == std::vector<std::uint32_t>{3, 0, 1, 2});
  CHECK(parse_devices("")->empty());
  for (const auto* text : {"1,1", "0-3,2", "3-1", "x", "1,", "1-", "1024"})
    CHECK_FALSE(parse_devices(text));
}

TEST_CASE("Nobody can send to itself alone or to nobody") {
  CHECK(check({}));
  CHECK(check({.senders = {0, 1}, .sinks = {0, 1}}));
  CHECK(check({.senders = {}, .sinks = {1}}));
  CHECK(check({.senders = {1}, .sinks = {}, .to = xenstore::Mac{}}));
  CHECK_FALSE(check({.senders = {1}, .sinks = {1}}));
  CHECK_FALSE(check({.senders = {1}, .sinks = {}}));
  CHECK_FALSE(check({.senders = {}, .sinks = {}}));
}

}  // namespace ringback::frontend
