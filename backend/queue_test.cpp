#include "backend/queue.hpp"

#include <doctest/doctest.h>

#include <random>

#include "backend/test_guest.hpp"

using namespace ringback;
using namespace ringback::backend;

namespace {

// A port that keeps what it is sent.
class RecordingPort final : public Port {
 public:
  bool wants_whole_frames() const override { return wants_whole; }
  void send(std::span<Frame> burst, std::size_t, Copier& copier, Counters& counters) override {
    for (Frame& frame : burst) {
      if (frame.failed) continue;
      Bytes memory(frame.size);
      const auto whole = linearise(frame, memory, copier);
      if (frame.failed) continue;
      received.emplace_back(whole.begin(), whole.end());
      offloads.push_back(frame.offload);
      counters.delivered(frame.size);
    }
  }
  bool wants_whole = false;
  std::vector<Bytes> received;
  std::vector<net::Offload> offloads;
};

struct World : GuestWorld {
  explicit World(net::Abilities abilities = TestGuest::all(), std::size_t buffers = 256)
      : GuestWorld(buffers),
        queue(Queue::connect(guest.config(abilities), port, *events, *grants, [] {}).value()) {}

  void serve() {
    queue->guest_sent();
    queue->guest_posted();
    while (queue->serve(copier) || queue->arm()) {
    }
  }

  RecordingPort port;
  std::unique_ptr<Queue> queue;
};

}  // namespace

TEST_CASE("frames of every size reach the port with the bytes that the guest sent") {
  World world;
  std::mt19937 random(2);
  for (std::size_t size = 14; size <= 65535; size += 1 + random() % 97) {
    const Bytes frame = test_frame(2, 1, size, static_cast<std::uint8_t>(size));
    world.guest.send(frame);
    world.serve();
    REQUIRE(world.port.received.size() == 1);
    REQUIRE(world.port.received.front() == frame);
    world.port.received.clear();
    for (const auto& response : world.guest.tx_responses())
      REQUIRE(response.status == NETIF_RSP_OKAY);
  }
}

TEST_CASE("headers split over many tiny slots reach the port whole") {
  World world;
  const Bytes frame = test_frame(2, 1, 300);
  world.guest.send(frame, {}, 17);
  world.serve();
  REQUIRE(world.port.received.size() == 1);
  CHECK(world.port.received.front() == frame);
}

TEST_CASE("a frame that is wanted whole takes a copy for each of its pages") {
  World world;
  world.port.wants_whole = true;
  const Bytes frame = test_frame(2, 1, 66 + 15 * ring::page_size + 100);
  world.guest.send_like_linux(frame);
  world.guest.send_like_linux(frame);
  world.serve();
  CHECK(world.port.received == std::vector<Bytes>{frame, frame});
  CHECK(world.hypervisor.pieces_copied() == 2 * 17);
}

TEST_CASE("a burst of the largest frames is sent whole, wherever in its pages it lies") {
  World world;
  world.port.wants_whole = true;
  for (const std::size_t piece : {4096, 4095, 3900}) {
    const Bytes frame = test_frame(2, 1, 65535, static_cast<std::uint8_t>(piece));
    for (int i = 0; i < 14; ++i) world.guest.send(frame, {}, piece);
    world.serve();
    CHECK(world.port.received == std::vector<Bytes>(14, frame));
    world.port.received.clear();
    world.guest.tx_responses();
  }
}

TEST_CASE("a queue that was emptied asks for no event before it is armed") {
  World world;
  world.serve();
  world.queue->guest_sent();
  world.guest.send(test_frame(2, 1, 100));
  while (world.queue->serve(world.copier)) {
  }
  CHECK_FALSE(world.guest.is_awaited());
  while (world.queue->serve(world.copier) || world.queue->arm()) {
  }
  CHECK(world.guest.is_awaited());
}

TEST_CASE("what comes while a queue is armed is not lost") {
  World world;
  world.serve();
  world.queue->guest_sent();
  CHECK_FALSE(world.queue->serve(world.copier));
  world.guest.send(test_frame(2, 1, 100));
  CHECK(world.queue->arm());
  CHECK(world.queue->serve(world.copier));
  CHECK(world.port.received.size() == 1);
  CHECK_FALSE(world.queue->arm());
}

TEST_CASE("an unreadable grant costs its own frame only and is answered with an error") {
  World world;
  const Bytes good = test_frame(2, 1, 9000);
  world.guest.send(good);
  world.guest.send({{12345, 0, 1000}});
  // The head is fine; what comes behind it is not.
  const Bytes head = test_frame(2, 1, 4096);
  std::memcpy(world.guest.tx_pages.page(200).data(), head.data(), head.size());
  world.guest.send({{world.guest.tx_pages.refs()[200], 0, 4096}, {12345, 0, 1000}});
  world.guest.send(good);
  world.serve();
  CHECK(world.port.received == std::vector<Bytes>{good, good});
  const auto responses = world.guest.tx_responses();
  REQUIRE(responses.size() == 9);
  const std::vector<int> expected = {0, 0, 0, -1, -1, -1, 0, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(responses[i].status == expected[i]);
  CHECK(world.queue->broken() == nullptr);
}

TEST_CASE("a GSO frame's extra is answered RSP_NULL behind the first response") {
  World world;
  world.guest.send(tcp_frame(5946), {net::Checksum::partial, net::Gso::tcpv4, 1448});
  world.serve();
  const auto responses = world.guest.tx_responses();
  REQUIRE(responses.size() == 3);
  CHECK(responses[0].status == NETIF_RSP_OKAY);
  CHECK(responses[1].status == NETIF_RSP_NULL);
  CHECK(responses[2].status == NETIF_RSP_OKAY);
  REQUIRE(world.port.offloads.size() == 1);
  CHECK(world.port.offloads.front() == net::Offload{net::Checksum::partial, net::Gso::tcpv4, 1448});
}

TEST_CASE("a frame that is not what its offload says goes nowhere and its neighbours do") {
  World world;
  const net::Offload gso{net::Checksum::partial, net::Gso::tcpv4, 1448};
  const net::Offload partial{net::Checksum::partial, net::Gso::none, 0};
  world.guest.send(test_frame(2, 1, 6000), gso);                                       // no TCP
  world.guest.send(test_frame(2, 1, 60), partial);                                     // no IP
  world.guest.send(tcp_frame(5000), {net::Checksum::partial, net::Gso::tcpv6, 1448});  // IPv4
  world.guest.send(tcp_frame(5000), {net::Checksum::partial, net::Gso::tcpv4, 1});     // too fine
  world.guest.send(tcp_frame(5000), gso);
  world.serve();
  REQUIRE(world.port.received.size() == 1);
  CHECK(world.port.received.front() == tcp_frame(5000));
  std::size_t errors = 0;
  for (const auto& response : world.guest.tx_responses())
    errors += response.status == NETIF_RSP_ERROR;
  CHECK(errors == 2 + 1 + 2 + 2);  // one a slot, but for the extras
  CHECK(world.queue->tx_counters().drops[static_cast<std::size_t>(Drop::bad_headers)].get() == 4);
  CHECK(world.queue->broken() == nullptr);
}

TEST_CASE("a guest that lies about req_prod is found out and served no more") {
  World world;
  ring::SharedRing<ring::TxRequest, ring::TxResponse> raw(world.guest.rings.page(0));
  raw.publish_req_prod(1000);
  world.serve();
  REQUIRE(world.queue->broken() != nullptr);
  CHECK(std::string(world.queue->broken()).find("req_prod") != std::string::npos);
  CHECK(world.guest.tx_responses().empty());
}

TEST_CASE("a slot that crosses its page is fatal and what came before it is still sent") {
  World world;
  const Bytes good = test_frame(2, 1, 100);
  world.guest.send(good);
  world.guest.send({{world.guest.tx_pages.refs()[0], 4000, 200}});
  world.serve();
  CHECK(world.port.received == std::vector<Bytes>{good});
  CHECK(world.queue->broken() != nullptr);
}

TEST_CASE("one event tells the guest of a whole burst of responses") {
  World world;
  world.serve();
  const auto before = world.hypervisor.notifications(1, world.guest.tx_port);
  world.guest.tx.final_check();
  for (int i = 0; i < 60; ++i) world.guest.send(test_frame(2, 1, 64));
  world.serve();
  CHECK(world.guest.tx_responses().size() == 60);
  CHECK(world.hypervisor.notifications(1, world.guest.tx_port) == before + 1);
}

TEST_CASE("a queue that has gone leaves no mapping and its ports can be bound again") {
  World world;
  CHECK(world.hypervisor.mappings() == 2);
  world.queue.reset();
  CHECK(world.hypervisor.mappings() == 0);
  CHECK(Queue::connect(world.guest.config(), world.port, *world.events, *world.grants, [] {}));
}

TEST_CASE("a ring ref that was never granted is refused with its name") {
  hypervisor::Simulated hypervisor;
  TestGuest guest(hypervisor, 1);
  const auto events = hypervisor.event_channels(0);
  const auto grants = hypervisor.grant_user(0);
  RecordingPort port;
  auto config = guest.config();
  config.keys.rx_ring_ref = 4711;
  const auto queue = Queue::connect(config, port, *events, *grants, [] {});
  REQUIRE_FALSE(queue);
  CHECK(queue.error().what.find("rx-ring-ref") != std::string::npos);
  CHECK(hypervisor.mappings() == 0);
}

TEST_CASE("a queue gives each ring what the queue before it had promised there") {
  GuestWorld world(8);
  world.guest.send(test_frame(2, 1, 100, 1));
  Queue::Kept kept{};
  kept.tx.responses[0] = {0, NETIF_RSP_ERROR};
  kept.tx.promise = std::uint64_t{1} << 32;
  kept.rx.responses[0] = {world.guest.posted.front(), 0, 0, NETIF_RSP_DROPPED};
  kept.rx.promise = std::uint64_t{1} << 32;
  RecordingPort port;
  auto config = world.guest.config();
  config.kept = &kept;
  const auto queue = Queue::connect(config, port, *world.events, *world.grants, [] {});
  REQUIRE(queue.has_value());
  REQUIRE(world.guest.tx.unconsumed() == 1);
  CHECK(world.guest.tx.response(0).status == NETIF_RSP_ERROR);
  REQUIRE(world.guest.rx.unconsumed() == 1);
  CHECK(world.guest.rx.response(0).status == NETIF_RSP_DROPPED);
  (*queue)->guest_sent();
  while ((*queue)->serve(world.copier)) {
  }
  CHECK(port.received.empty());  // it was answered, so it is not sent
}
