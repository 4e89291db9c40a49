#include <doctest/doctest.h>

#include <algorithm>

#include "backend/switch/test_switch.hpp"
#include "net/test_frames.hpp"

using namespace ringback;
using namespace ringback::backend;

namespace {

using Keys = xenstore::Keys;

struct World : TestSwitch {
  void set(std::size_t id, const Keys& keys) {
    CHECK(members[id - 1]->port.set_policy(xenstore::parse_port_policy(keys).value()));
  }
  // Sends, and returns what the guests 1 to 3 have received.
  std::array<std::vector<Bytes>, 3> send(std::size_t from, const Bytes& frame) {
    guest(from).send(frame);
    serve();
    std::array<std::vector<Bytes>, 3> all;
    for (std::size_t id = 1; id <= 3; ++id)
      for (auto& received : guest(id).receive()) all[id - 1].push_back(std::move(received.bytes));
    return all;
  }
  std::uint64_t drops(std::size_t id, Drop reason) {
    return members[id - 1]->queue->tx_counters().drops[static_cast<std::size_t>(reason)].get();
  }
};
using Frames = std::vector<Bytes>;

Bytes tagged(const Bytes& frame, net::VlanTag tag) {
  Bytes with(net::vlan_tag_size + frame.size());
  std::ranges::copy(frame, with.begin() + net::vlan_tag_size);
  net::push_vlan_tag(std::span(with).subspan(net::vlan_tag_size), tag);
  return with;
}

}  // namespace

TEST_CASE("access ports reach those of their VLAN and nobody else") {
  World world;
  world.set(1, {{"vlan", "10p"}});
  world.set(2, {{"vlan", "10p"}});
  world.set(3, {{"vlan", "20p"}});
  const Bytes broadcast = test_frame(0xff, 1, 100);
  CHECK(world.send(1, broadcast) == std::array<Frames, 3>{Frames{}, Frames{broadcast}, Frames{}});
  const Bytes answer = test_frame(1, 2, 1000);
  CHECK(world.send(2, answer) == std::array<Frames, 3>{Frames{answer}, Frames{}, Frames{}});
  // It knows the address, and it does not help.
  world.send(3, test_frame(1, 3, 100));
  CHECK(world.drops(3, Drop::vlan) + world.drops(3, Drop::no_receiver) == 1);
}

TEST_CASE("a port without a policy is a trunk: VLANs are tags there") {
  World world;
  world.set(1, {{"vlan", "10p"}});
  for (const std::size_t size : {60U, 300U, 9000U, 65000U}) {
    CAPTURE(size);
    const Bytes out = test_frame(0xff, 1, size);
    CHECK(world.send(1, out) ==
          std::array<Frames, 3>{Frames{}, Frames{tagged(out, 10)}, Frames{tagged(out, 10)}});
    const Bytes in = test_frame(1, 2, size);
    CHECK(world.send(2, tagged(in, 10)) == std::array<Frames, 3>{Frames{in}, Frames{}, Frames{}});
  }
  const Bytes plain = test_frame(0xff, 2, 100);  // without a VLAN, it is none of port 1's
  CHECK(world.send(2, plain) == std::array<Frames, 3>{Frames{}, Frames{}, Frames{plain}});
}

TEST_CASE("one flooded frame leaves with its tag here and without it there") {
  World world;
  world.set(1, {{"vlan", "10u"}});
  world.set(3, {{"vlan", "10"}});
  const Bytes frame = test_frame(0xff, 2, 5000);
  CHECK(world.send(2, tagged(frame, 10)) ==
        std::array<Frames, 3>{Frames{frame}, Frames{}, Frames{tagged(frame, 10)}});
  // A frame with a priority alone is one without a VLAN.
  world.set(2, {{"vlan", "10p"}});
  CHECK(world.send(2, tagged(frame, 0)) ==
        std::array<Frames, 3>{Frames{frame}, Frames{}, Frames{tagged(frame, 10)}});
}

TEST_CASE("a tag behind the tag is left alone whoever gets the frame first") {
  World world;
  world.set(1, {{"vlan", "10u"}});
  world.set(2, {{"vlan", "10u"}});
  const Bytes inner = tagged(test_frame(0xff, 3, 100), 20);
  CHECK(world.send(3, tagged(inner, 0xa00a)) ==
        std::array<Frames, 3>{Frames{inner}, Frames{inner}, Frames{}});
  world.set(2, {{"vlan", "10"}});
  CHECK(world.send(3, tagged(inner, 0xa00a)) ==  // and the priority stays
        std::array<Frames, 3>{Frames{inner}, Frames{tagged(inner, 0xa00a)}, Frames{}});
}

TEST_CASE("a frame that would be too short without its tag is dropped") {
  World world;
  world.set(1, {{"vlan", "10u"}});
  Bytes runt = tagged(test_frame(0xff, 3, 60), 10);
  runt.resize(17);
  CHECK(world.send(3, runt) == std::array<Frames, 3>{});
  CHECK(world.drops(3, Drop::malformed) == 1);
}

TEST_CASE("a tagged frame comes to a guest with nothing left to do") {
  World world;
  world.set(1, {{"vlan", "10p"}});
  Bytes frame = tcp_frame(1000);
  std::fill_n(frame.begin(), 6, std::byte{0xff});
  world.guest(1).send(frame, {.checksum = net::Checksum::partial});
  world.serve();
  const auto received = world.guest(2).receive();
  REQUIRE(received.size() == 1);
  CHECK(net::checksum_is_right(received.front().bytes));
  CHECK(received.front().offload.checksum == net::Checksum::verified);
  CHECK(received.front().bytes.size() == frame.size() + net::vlan_tag_size);
}

TEST_CASE("what a port may not send is dropped and counted") {
  World world;
  world.set(1, {{"vlan", "10"}});
  const auto nothing = std::array<Frames, 3>{};
  CHECK(world.send(1, test_frame(0xff, 1, 100)) == nothing);
  CHECK(world.send(1, tagged(test_frame(0xff, 1, 100), 11)) == nothing);
  CHECK(world.drops(1, Drop::vlan) == 2);
  CHECK(world.guest(1).tx_responses().size() == 2);
}

TEST_CASE("the same address is behind different ports in different VLANs") {
  World world;
  world.send(1, tagged(test_frame(0xff, 7, 100), 10));
  world.send(2, tagged(test_frame(0xff, 7, 100), 20));
  const Bytes ten = tagged(test_frame(7, 3, 100), 10);
  const Bytes twenty = tagged(test_frame(7, 3, 100), 20);
  CHECK(world.send(3, ten) == std::array<Frames, 3>{Frames{ten}, Frames{}, Frames{}});
  CHECK(world.send(3, twenty) == std::array<Frames, 3>{Frames{}, Frames{twenty}, Frames{}});
}

TEST_CASE("isolated ports reach all but each other") {
  World world;
  world.set(1, {{"ringback/isolated", "1"}});
  world.set(2, {{"ringback/isolated", "1"}});
  const Bytes frame = test_frame(0xff, 1, 100);
  CHECK(world.send(1, frame) == std::array<Frames, 3>{Frames{}, Frames{}, Frames{frame}});
  world.send(2, test_frame(0xff, 2, 100));
  world.send(1, test_frame(2, 1, 100));
  CHECK(world.drops(1, Drop::isolated) == 1);
  const Bytes in = test_frame(2, 3, 100);
  CHECK(world.send(3, in) == std::array<Frames, 3>{Frames{}, Frames{in}, Frames{}});
}

TEST_CASE("a mirror gets a copy of what goes through the ports it watches and may send nothing") {
  World world;
  world.send(2, test_frame(0xff, 2, 100));
  world.set(3, {{"ringback/mirror", "vif2.0"}});
  const Bytes to = test_frame(2, 1, 3000);
  CHECK(world.send(1, to) == std::array<Frames, 3>{Frames{}, Frames{to}, Frames{to}});
  const Bytes from = test_frame(1, 2, 3000);
  CHECK(world.send(2, from) == std::array<Frames, 3>{Frames{from}, Frames{}, Frames{from}});
  CHECK(world.send(3, test_frame(0xff, 3, 100)) == std::array<Frames, 3>{});
  CHECK(world.drops(3, Drop::mirror) == 1);
  world.set(3, {{"ringback/mirror", "vif9.0"}});  // nothing that is there
  CHECK(world.send(1, to) == std::array<Frames, 3>{Frames{}, Frames{to}, Frames{}});
  const Bytes flooded = test_frame(0xff, 1, 100);
  world.set(3, {{"ringback/mirror", "all"}});
  CHECK(world.send(1, flooded) ==
        std::array<Frames, 3>{Frames{}, Frames{flooded}, Frames{flooded}});
}

TEST_CASE("only what is flooded counts as a storm") {
  World world;
  world.send(2, test_frame(0xff, 2, 100));
  world.set(1, {{"ringback/storm", "1"}});
  std::size_t flooded = 0;
  for (int i = 0; i < 100; ++i) flooded += world.send(1, test_frame(0xff, 1, 100))[2].size();
  CHECK(flooded >= burst_size);
  CHECK(flooded < 70);
  CHECK(world.drops(1, Drop::storm) == 100 - flooded);
  CHECK(world.send(1, test_frame(2, 1, 100))[1].size() == 1);
}

TEST_CASE("a super-frame that is flooded counts as the frames that it may become") {
  World world;
  world.set(1, {{"ringback/storm", "1"}});
  std::mt19937 random(1);
  auto frame = net::test::build({.payload_size = 6'000}, random);
  frame.octets[0] = 0x02;
  frame.octets[6] = 0x06;
  const auto bytes = net::test::bytes(frame.octets);
  world.guest(1).send(Bytes(bytes.begin(), bytes.end()),
                      {net::Checksum::partial, net::Gso::tcpv4, 100});
  world.serve();
  CHECK(world.guest(3).receive().size() == 1);
  std::size_t flooded = 0;
  for (int i = 0; i < 10; ++i) flooded += world.send(1, test_frame(0xff, 1, 100))[2].size();
  CHECK(flooded == burst_size - 61);
}

TEST_CASE("a port whose policy changes in something else has no more to flood than before") {
  World world;
  world.set(1, {{"ringback/storm", "1"}});
  for (int i = 0; i < 100; ++i) world.send(1, test_frame(0xff, 1, 100));
  world.set(1, {{"ringback/storm", "1"}, {"ringback/isolated", "1"}});
  CHECK(world.send(1, test_frame(0xff, 1, 100))[2].empty());
  world.set(1, {{"ringback/storm", "2"}});
  CHECK(world.send(1, test_frame(0xff, 1, 100))[2].size() == 1);
}

TEST_CASE("an address that a port keeps can't be taken by another") {
  World world;
  world.set(2, {{"ringback/macs", "00:16:3e:00:00:02"}});
  world.send(3, test_frame(0xff, 2, 100));
  CHECK(world.send(1, test_frame(2, 1, 100))[1].size() == 1);
  world.set(2, {});
  world.send(3, test_frame(0xff, 2, 100));
  CHECK(world.send(1, test_frame(2, 1, 100))[2].size() == 1);
}
