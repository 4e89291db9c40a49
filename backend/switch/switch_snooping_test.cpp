#include <doctest/doctest.h>

#include <algorithm>

#include "backend/switch/test_switch.hpp"
#include "net/bytes.hpp"
#include "net/checksum.hpp"

using namespace ringback;
using namespace ringback::backend;

namespace {

constexpr std::uint32_t all_hosts = 0xe0000001;
constexpr std::uint32_t group = 0xef010203;
constexpr std::uint8_t query = 0x11, report = 0x16, leave = 0x17;

std::uint16_t inverted_sum(std::span<const std::byte> bytes) {
  return static_cast<std::uint16_t>(~net::sum(bytes));
}

// IPv4 to a group, and at its MAC address; IGMP with the option that it has to have.
Bytes packet_to(std::uint32_t destination, std::uint8_t from, std::uint8_t protocol,
                const Bytes& payload) {
  const std::size_t header = protocol == 2 ? 24 : 20;
  Bytes frame = test_frame(0, from, 14 + header + payload.size());
  const auto mac = std::uint64_t{0x01005e000000} | (destination & 0x7fffff);
  for (std::size_t i = 0; i < 6; ++i) frame[i] = static_cast<std::byte>(mac >> (40 - 8 * i));
  net::store16(frame, 12, 0x0800);
  const std::span ip = std::span(frame).subspan(14);
  std::ranges::fill(ip.first(header), std::byte{0});
  ip[0] = static_cast<std::byte>(0x40 + header / 4);
  net::store16(ip, 2, static_cast<std::uint16_t>(header + payload.size()));
  ip[8] = std::byte{1};
  ip[9] = std::byte{protocol};
  net::store32(ip, 12, 0x0a000000U + from);
  net::store32(ip, 16, destination);
  if (protocol == 2) net::store32(ip, 20, 0x94040000);  // Router Alert (RFC 2113)
  net::store16(ip, 10, inverted_sum(ip.first(header)));
  std::ranges::copy(payload, ip.subspan(header).begin());
  return frame;
}
Bytes igmp(std::uint8_t type, std::uint8_t from, std::uint32_t destination, std::uint32_t of) {
  Bytes message(8);
  message[0] = std::byte{type};
  message[1] = std::byte{type == query ? std::uint8_t{100} : std::uint8_t{0}};
  net::store32(message, 4, of);
  net::store16(message, 2, inverted_sum(message));
  return packet_to(destination, from, 2, message);
}
Bytes stream(std::uint8_t from, std::uint32_t to = group) {
  return packet_to(to, from, 17, Bytes(100));
}

Bytes tagged(const Bytes& frame, net::VlanTag tag, std::uint16_t kind = 0x8100) {
  Bytes with(frame.begin(), frame.begin() + 12);
  with.resize(16);
  net::store16(with, 12, kind);
  net::store16(with, 14, tag);
  with.insert(with.end(), frame.begin() + 12, frame.end());
  return with;
}

// Behind guest 1 there is a router.
struct World : TestSwitch {
  World() { set(1, {{"ringback/router", "1"}}); }
  void set(std::size_t id, const xenstore::Keys& keys) {
    CHECK(members[id - 1]->port.set_policy(xenstore::parse_port_policy(keys).value()));
  }
  static void wait(std::uint64_t seconds) { now.nanoseconds += seconds * 1'000'000'000; }
  // Whoever is there was asked, and had the time to answer: nobody is new any more.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      wait(100);
      send(1, igmp(query, 1, all_hosts, 0));
    }
    wait(20);
  }
  // The guests 1 to 3 that receive each of them.
  std::vector<std::array<bool, 3>> send_all(std::size_t from, const std::vector<Bytes>& frames) {
    for (const Bytes& frame : frames) guest(from).send(frame);
    serve();
    std::vector<std::array<bool, 3>> all(frames.size());
    for (std::size_t id = 1; id <= 3; ++id) {
      for (const auto& received : guest(id).receive()) {
        const auto which = std::ranges::find(frames, received.bytes);
        REQUIRE(which != frames.end());
        all[static_cast<std::size_t>(which - frames.begin())][id - 1] = true;
      }
    }
    return all;
  }
  std::array<bool, 3> send(std::size_t from, const Bytes& frame) {
    return send_all(from, {frame}).front();
  }
};
using Reached = std::array<bool, 3>;

}  // namespace

TEST_CASE(
    "once a querier has been answered a group's frames reach its members and the router only") {
  World world;
  CHECK(world.send(3, stream(3)) == Reached{true, true, false});
  world.settle();
  CHECK(world.send(2, igmp(report, 2, group, group)) == Reached{true, false, false});
  CHECK(world.send(1, stream(1)) == Reached{false, true, false});
  CHECK(world.send(3, stream(3)) == Reached{true, true, false});
  CHECK(world.send(2, igmp(report, 2, 0xef000001, 0xef000001)) == Reached{true, false, false});
  CHECK(world.send(1, stream(1, 0xef000001)) == Reached{false, true, false});
  // Nobody has asked for this one, and none need ask for that.
  CHECK(world.send(1, stream(1, 0xef999999)) == Reached{false, true, true});
  CHECK(world.send(1, stream(1, 0xe00000fb)) == Reached{false, true, true});
}

TEST_CASE("frames of one burst for different groups go different ways") {
  World world;
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  world.send(3, igmp(report, 3, 0xef020203, 0xef020203));
  // By their MAC addresses these two are the same group.
  const std::uint32_t twin = 0xef810203;
  world.send(3, igmp(report, 3, twin, twin));
  const auto reached = world.send_all(
      1, {stream(1), stream(1, twin), stream(1, 0xef020203), test_frame(0xff, 1, 90)});
  CHECK(reached == std::vector{Reached{false, true, false}, Reached{false, false, true},
                               Reached{false, false, true}, Reached{false, true, true}});
}

TEST_CASE("a guest that was given no router can't be the querier") {
  World world;
  world.set(1, {});
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  CHECK(world.send(1, stream(1)) == Reached{false, true, true});
}

TEST_CASE("a member that leaves is served until the router has asked in vain") {
  World world;
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  world.send(3, igmp(report, 3, group, group));
  world.send(2, igmp(leave, 2, 0xe0000002, group));
  CHECK(world.send(1, stream(1)) == Reached{false, true, true});
  world.send(1, igmp(query, 1, group, group));
  World::wait(21);
  CHECK(world.send(1, stream(1)) == Reached{false, false, true});
}

TEST_CASE("without snooping multicast frames go to everybody, and for a while after it") {
  World world;
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  world.network->set_policy({.snooping = false});
  CHECK(world.send(1, stream(1)) == Reached{false, true, true});
  world.network->set_policy(xenstore::SwitchPolicy{});
  CHECK(world.send(1, stream(1)) == Reached{false, true, true});
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  CHECK(world.send(1, stream(1)) == Reached{false, true, false});
}

TEST_CASE("a guest that has just come gets a group's frames before it has asked for them") {
  World world;
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  world.members[2]->port.connect({});
  world.members[2]->port.connect({&world.members[2]->queue->sink()});
  CHECK(world.send(1, stream(1)) == Reached{false, true, true});
}

TEST_CASE("a mirror of a port sees the groups that the port is in") {
  World world;
  world.settle();
  world.set(3, {{"ringback/mirror", "vif2.0"}});
  const std::uint32_t other = 0xef020203;
  world.send(2, igmp(report, 2, group, group));
  world.send(3, igmp(report, 3, other, other));
  CHECK(world.send(1, stream(1)) == Reached{false, true, true});
}

TEST_CASE("who wants a group in one VLAN gets it in that one alone") {
  World world;
  world.settle();
  for (int i = 0; i < 3; ++i) {
    World::wait(100);
    world.send(1, tagged(igmp(query, 1, all_hosts, 0), 10));
    world.send(1, igmp(query, 1, all_hosts, 0));
  }
  World::wait(20);
  world.send(2, tagged(igmp(report, 2, group, group), 10));
  world.send(3, igmp(report, 3, group, group));
  CHECK(world.send(1, tagged(stream(1), 10)) == Reached{false, true, false});
  CHECK(world.send(1, stream(1)) == Reached{false, false, true});
}

TEST_CASE("what is behind a second tag is for everybody and nothing is learned from it") {
  World world;
  world.settle();
  world.send(2, igmp(report, 2, group, group));
  for (const std::uint16_t kind : {std::uint16_t{0x8100}, std::uint16_t{0x88a8}}) {
    CAPTURE(kind);
    CHECK(world.send(3, tagged(tagged(igmp(report, 3, group, group), 20), 10, kind)) ==
          Reached{true, true, false});
    CHECK(world.send(1, tagged(tagged(stream(1), 20), 10, kind)) == Reached{false, true, true});
    CHECK(world.send(1, tagged(igmp(leave, 2, 0xe0000002, group), 10, 0x88a8)) ==
          Reached{false, true, true});
  }
  CHECK(world.send(1, stream(1)) == Reached{false, true, false});
}
