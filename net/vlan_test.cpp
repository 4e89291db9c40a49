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
  const auto tagged = push_vlan_tag(frame.head, 0x123);
  CHECK(tagged_vlan(tagged) == 0x123);
  CHECK(tagged.size() == 68);
  CHECK(std::ranges::equal(tagged.first(macs_size), std::span(before).subspan(4, macs_size)));
  CHECK(std::ranges::equal(tagged.subspan(16), std::span(before).subspan(4 + macs_size)));
  const auto untagged = pop_vlan_tag(tagged);
  CHECK(std::ranges::equal(untagged, std::span(before).subspan(4)));
}

TEST_CASE("a frame without a tag has no VLAN and one that ends within its tag neither") {
  Frame frame;
  CHECK_FALSE(tagged_vlan(frame.head));
  const auto tagged = push_vlan_tag(frame.head, 5);
  CHECK_FALSE(tagged_vlan(tagged.first(15)));
  CHECK(tagged_vlan(tagged.first(16)) == 5);
}

TEST_CASE("a tag's priority stays when its VLAN is set") {
  Frame frame;
  const auto tagged = push_vlan_tag(frame.head, 0);
  tagged[14] = std::byte{0xa0};
  CHECK(tagged_vlan(tagged) == 0);
  set_tagged_vlan(tagged, 0xfed);
  CHECK(tagged_vlan(tagged) == 0xfed);
  CHECK((tagged[14] & std::byte{0xf0}) == std::byte{0xa0});
}
