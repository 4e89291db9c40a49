#include "net/vlan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>

using namespace ringback::net;

namespace {

// Room for a tag, and a frame whose bytes say where they were.
struct Frame {
  std::array<std::byte, vlan_tag_size + 64> memory{};
  std::span<std::byte> head = std::span(memory).subspan(vlan_tag_size);
  Frame() {
    for (std::size_t i = 0; i < head.size(); ++i) head[i] = static_cast<std::byte>(i);
  }
};

}  // namespace

TEST_CASE("a frame that is tagged and untagged again is what it was") {
  Frame frame;
  const std::array<std::byte, vlan_tag_size + 64> before = frame.memory;
  const auto tagged = push_vlan_tag(frame.head, 0xa123);
  CHECK(vlan_tag(tagged) == 0xa123);
  CHECK(tagged.size() == 68);
  CHECK(std::ranges::equal(tagged.first(macs_size), std::span(before).subspan(4, macs_size)));
  CHECK(std::ranges::equal(tagged.subspan(16), std::span(before).subspan(4 + macs_size)));
  const auto untagged = pop_vlan_tag(tagged);
  CHECK(std::ranges::equal(untagged, std::span(before).subspan(4)));
}

TEST_CASE("a frame without a tag has none and one that ends within its tag neither") {
  Frame frame;
  CHECK_FALSE(vlan_tag(frame.head));
  const auto tagged = push_vlan_tag(frame.head, 5);
  CHECK_FALSE(vlan_tag(tagged.first(15)));
  CHECK(is_tagged(tagged.first(14)));
  CHECK(vlan_tag(tagged.first(16)) == 5);
}

TEST_CASE("a tag with another VLAN keeps its priority") {
  CHECK(vlan_of(0xafed) == 0x0fed);
  CHECK(with_vlan(0xa000, 0x0fed) == 0xafed);
}
