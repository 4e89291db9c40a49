#include "backend/switch/test_switch.hpp"

#include <doctest/doctest.h>

#include <map>

#include "net/test_frames.hpp"

using namespace ringback;
using namespace ringback::backend;

namespace {

struct Recorder final : Sink {
  void deliver(std::span<Frame* const> frames, Copier& copier) override {
    for (Frame* frame : frames) {
      Bytes whole(frame->size);
      copier.to_local(*frame, whole.data());
      copier.flush();
      received.push_back(std::move(whole));
    }
  }
  std::vector<Bytes> received;
};

// Of a flow, to an address that nobody has.
Bytes datagram(std::uint8_t flow, std::uint8_t number) {
  std::mt19937 random(flow);
  auto frame = net::test::build({.protocol = 17, .payload_size = 300}, random);
  frame.octets[0] = 0x02;
  frame.octets[6] = 0x06;
  frame.octets[frame.octets.size() - 2] = flow;
  frame.octets.back() = number;
  const auto bytes = net::test::bytes(frame.octets);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("a frame goes from pages to pages by a copy for each, and one for what was looked at") {
  TestSwitch world;
  world.guest(2).send(test_frame(1, 2, 60));  // so that the switch knows it
  world.serve();
  const auto before = world.hypervisor.pieces_copied();
  const Bytes frame = test_frame(2, 1, 66 + 15 * ring::page_size);
  world.guest(1).send_like_linux(frame);
  world.serve();
  const auto received = world.guest(2).receive();
  REQUIRE(received.size() == 1);
  CHECK(received.front().bytes == frame);
  // The head comes here in two pieces; it goes on as two, and the pages as one each.
  CHECK(world.hypervisor.pieces_copied() - before == 2 + 2 + 15);
}

TEST_CASE("no sender can bring it about that a receiver's first slot lacks the headers") {
  TestSwitch world;
  auto& sender = world.guest(1);
  const Bytes frame = test_frame(0xff, 1, ring::page_size + 1);
  std::memcpy(sender.tx_pages.page(0).data(), frame.data(), 256);
  std::memcpy(sender.tx_pages.page(1).data() + 255, frame.data() + 256, frame.size() - 256);
  sender.send({{sender.tx_pages.refs()[0], 0, 256},
               {sender.tx_pages.refs()[1], 255, static_cast<std::uint16_t>(frame.size() - 256)}});
  world.serve();
  REQUIRE(world.guest(2).rx.unconsumed().value() == 2);
  CHECK(world.guest(2).rx.response().status == static_cast<std::int16_t>(ring::page_size));
  CHECK(world.guest(2).receive().at(0).bytes == frame);
}

TEST_CASE("a broadcast reaches everybody but its sender") {
  TestSwitch world;
  const Bytes frame = test_frame(0xff, 1, 100);
  world.guest(1).send(frame);
  world.serve();
  CHECK(world.guest(1).receive().empty());
  REQUIRE(world.guest(2).receive().size() == 1);
  REQUIRE(world.guest(3).receive().size() == 1);
}

TEST_CASE("a frame to a learned address reaches its owner only") {
  TestSwitch world;
  world.guest(2).send(test_frame(0xff, 2, 100));
  world.serve();
  world.guest(1).receive();
  world.guest(3).receive();
  const Bytes frame = test_frame(2, 1, 40000);
  world.guest(1).send(frame);
  world.serve();
  const auto received = world.guest(2).receive();
  REQUIRE(received.size() == 1);
  CHECK(received.front().bytes == frame);
  CHECK(world.guest(3).receive().empty());
}

TEST_CASE("a burst to several destinations keeps the order of each") {
  TestSwitch world;
  world.guest(2).send(test_frame(0xff, 2, 100));
  world.guest(3).send(test_frame(0xff, 3, 100));
  world.serve();
  world.guest(2).receive();
  world.guest(3).receive();
  for (std::uint8_t i = 0; i < 60; ++i)
    world.guest(1).send(test_frame(i % 3 == 0 ? 2 : 3, 1, 100, i));
  world.serve();
  const auto two = world.guest(2).receive();
  const auto three = world.guest(3).receive();
  REQUIRE(two.size() == 20);
  REQUIRE(three.size() == 40);
  for (std::size_t i = 0; i < two.size(); ++i)
    CHECK(two[i].bytes == test_frame(2, 1, 100, static_cast<std::uint8_t>(3 * i)));
}

TEST_CASE("a guest that leaves is forgotten and nobody touches its queue again") {
  TestSwitch world;
  world.guest(2).send(test_frame(0xff, 2, 100));
  world.serve();
  world.guest(3).receive();
  const int before = world.barriers;
  world.members[1]->port.connect({});
  world.members.erase(world.members.begin() + 1);
  CHECK(world.barriers > before);
  world.guest(1).receive();
  world.guest(1).send(test_frame(2, 1, 100));
  world.serve();
  CHECK(world.members[1]->guest.receive().size() ==
        1);  // unknown again: flooded to the one who is left
}

TEST_CASE("a payload that its sender revoked is answered with an error and harms nobody else") {
  TestSwitch world;
  world.guest(2).send(test_frame(0xff, 2, 100));
  world.serve();
  TestGuest& sender = world.guest(1);
  const Bytes head = test_frame(2, 1, 4096);
  std::memcpy(sender.tx_pages.page(9).data(), head.data(), head.size());
  sender.send({{sender.tx_pages.refs()[9], 0, 4096}, {4711, 0, 100}});
  const Bytes good = test_frame(2, 1, 300);
  sender.send(good);
  world.serve();
  const auto responses = sender.tx_responses();
  REQUIRE(responses.size() == 3);
  CHECK(responses[0].status == NETIF_RSP_ERROR);
  CHECK(responses[1].status == NETIF_RSP_ERROR);
  CHECK(responses[2].status == NETIF_RSP_OKAY);
  auto& rx = world.guest(2).rx;
  REQUIRE(rx.unconsumed() == 3);
  CHECK(rx.response(2).status == 300);
}

TEST_CASE("a guest with more queues than the sender gets each flow on one and flows on all") {
  TestSwitch world;
  SwitchPort port(world.network, "vif4.0");
  std::array<Recorder, 4> queues;
  port.connect({&queues[0], &queues[1], &queues[2], &queues[3]}, true);
  constexpr std::uint8_t flows = 60;
  for (std::uint8_t number = 0; number < 3; ++number) {
    for (std::uint8_t flow = 0; flow < flows; ++flow) world.guest(1).send(datagram(flow, number));
    world.serve();
    world.guest(1).tx_responses();
  }
  std::map<std::byte, std::size_t> queue_of;
  for (std::size_t queue = 0; queue < queues.size(); ++queue) {
    CHECK_FALSE(queues[queue].received.empty());
    std::map<std::byte, std::uint8_t> next;
    for (const Bytes& frame : queues[queue].received) {
      const std::byte flow = frame[frame.size() - 2];
      CHECK(frame.back() == std::byte{next[flow]++});
      CHECK(queue_of.try_emplace(flow, queue).first->second == queue);
    }
  }
  CHECK(queue_of.size() == flows);
  port.connect({});
}
