#include "frontend/netfront_queue.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "frontend/test_backend.hpp"
#include "hypervisor/descriptor.hpp"
#include "net/checksum.hpp"
#include "net/test_frames.hpp"

namespace ringback::frontend {
namespace {

using hypervisor::Descriptor;
using test::Frame;

constexpr net::Abilities everything{true, true, true, true, true};
constexpr net::Offload partial{net::Checksum::partial, net::Gso::none, 0};
constexpr net::Offload gso4{net::Checksum::partial, net::Gso::tcpv4, 1400};

// The kernel's side of a tap, from a pair of packet sockets.
struct FakeTap {
  Descriptor device, kernel;

  FakeTap() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0);
    device = Descriptor(fds[0]);
    kernel = Descriptor(fds[1]);
    const int size = 1 << 20;
    for (const int fd : fds) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  bool give(const Frame& frame) {
    auto header = net::to_vnet_header(frame.offload, frame.bytes, frame.bytes.size()).value();
    const std::array<iovec, 2> parts{
        {{&header, sizeof header},
         {const_cast<std::byte*>(frame.bytes.data()), frame.bytes.size()}}};
    return writev(kernel.get(), parts.data(), 2) >= 0;
  }
  std::vector<Frame> take() {
    std::vector<Frame> frames;
    for (;;) {
      net::VnetHeader header;
      Frame frame{std::vector<std::byte>(70000), {}};
      const std::array<iovec, 2> parts{
          {{&header, sizeof header}, {frame.bytes.data(), frame.bytes.size()}}};
      const ssize_t got = readv(kernel.get(), parts.data(), 2);
      if (got < 0) return frames;
      frame.bytes.resize(static_cast<std::size_t>(got) - sizeof header);
      frame.offload = net::from_vnet_header(header).value();
      frames.push_back(std::move(frame));
    }
  }
};

struct Pair {
  hypervisor::Simulated world;
  std::unique_ptr<hypervisor::GrantSharer> grants = world.grant_sharer(test::guest_domain);
  std::unique_ptr<hypervisor::EventChannels> channels = world.event_channels(test::guest_domain);
  std::unique_ptr<hypervisor::EventChannels> backend_channels =
      world.event_channels(test::backend_domain);
  Counters counters;
  FakeTap tap;
  std::unique_ptr<NetfrontQueue> queue;
  test::TestTxBackend tx;
  test::TestRxBackend rx;

  explicit Pair(const net::Abilities& abilities, bool split = true, bool verify = false)
      : queue(NetfrontQueue::connect(*channels, *grants,
                                     {.backend = 0,
                                      .abilities = abilities,
                                      .split_event_channels = split,
                                      .verify_checksums = verify,
                                      .taps = {tap.device.get()}},
                                     counters)
                  .value()),
        tx(world, queue->keys().tx_ring_ref),
        rx(world, queue->keys().rx_ring_ref) {}

  std::vector<Frame> take_and_answer() {
    auto frames = tx.take();
    tx.answer_all();
    return frames;
  }
};

Frame tcp(bool v6, std::size_t payload, const net::Offload& offload) {
  net::test::Random random(4);
  const auto frame = net::test::build({.v6 = v6, .payload_size = payload}, random);
  const auto bytes = net::test::bytes(frame.octets);
  return {{bytes.begin(), bytes.end()}, offload};
}

}  // namespace

TEST_CASE("Frames go from the tap to the ring with one event for the burst") {
  Pair pair(everything);
  const auto port = pair.backend_channels->bind_interdomain(test::guest_domain,
                                                            pair.queue->keys().tx_event_channel);
  REQUIRE(port);
  const std::vector<Frame> frames{tcp(false, 10, {}), tcp(true, 1400, partial),
                                  tcp(false, 60000, gso4)};
  for (const auto& frame : frames) REQUIRE(pair.tap.give(frame));
  REQUIRE(pair.queue->serve(true));
  CHECK(pair.tx.take() == frames);
  CHECK(pair.world.notifications(test::backend_domain, *port) == 1);
  CHECK(pair.counters.tx.frames == 3);
}

TEST_CASE("Frames go from the ring to the tap and their buffers go back") {
  Pair pair(everything);
  const std::vector<Frame> frames{tcp(false, 10, {}), tcp(true, 1400, partial),
                                  tcp(false, 60000, gso4)};
  for (const auto& frame : frames) REQUIRE(pair.rx.give(frame));
  REQUIRE(pair.queue->serve(false));
  CHECK(pair.tap.take() == frames);
  CHECK(pair.counters.rx.frames == 3);
  CHECK(pair.rx.ring.unconsumed() == Receiver::slots);
}

TEST_CASE("A backend that takes nothing gets a super-frame as summed segments of one slot") {
  Pair pair({});
  const auto frame = tcp(false, 60000, gso4);
  REQUIRE(pair.tap.give(frame));
  REQUIRE(pair.queue->serve(true));
  const auto segments = pair.take_and_answer();
  CHECK(segments.size() == (60000 + 1399) / 1400);
  std::vector<std::byte> payload;
  for (const auto& segment : segments) {
    CHECK(segment.bytes.size() <= 54 + 1400);
    CHECK(segment.offload.checksum != net::Checksum::partial);
    CHECK(net::checksum_is_right(segment.bytes));
    payload.insert(payload.end(), segment.bytes.begin() + 54, segment.bytes.end());
  }
  CHECK(std::equal(payload.begin(), payload.end(), frame.bytes.begin() + 54, frame.bytes.end()));
  CHECK(pair.counters.tx.segmented == 1);
}

TEST_CASE("A super-frame of more segments than the ring has slots goes out bit by bit") {
  Pair pair({});
  REQUIRE(pair.tap.give(tcp(false, 60000, {net::Checksum::partial, net::Gso::tcpv4, 100})));
  std::size_t segments = 0;
  for (int turn = 0; turn < 10; ++turn) {
    REQUIRE(pair.queue->serve(pair.queue->wants_tap()));
    segments += pair.take_and_answer().size();
  }
  CHECK(segments == 600);
  CHECK(pair.queue->wants_tap());
}

TEST_CASE("A full tx ring leaves the tap alone until the backend answers") {
  Pair pair(everything);
  std::size_t given = 0;
  while (pair.queue->wants_tap()) {
    REQUIRE(pair.tap.give(tcp(false, 60000, gso4)));
    ++given;
    REQUIRE(pair.queue->serve(true));
  }
  REQUIRE(pair.tap.give(tcp(false, 60000, gso4)));
  REQUIRE(pair.queue->serve(true));
  CHECK(pair.tx.take().size() == given);
  CHECK_FALSE(pair.queue->arm());
  CHECK(pair.tx.answer_all());
  CHECK(pair.queue->arm());
  REQUIRE(pair.queue->serve(true));
  CHECK(pair.tx.take().size() == 1);
  CHECK(pair.counters.tx.frames == given + 1);
}

TEST_CASE("A frame that the tap does not take is dropped and counted") {
  Pair pair(everything);
  std::size_t given = 0;
  for (int turn = 0; turn < 100; ++turn) {
    while (pair.rx.give(tcp(false, 60000, gso4))) ++given;
    REQUIRE(pair.queue->serve(false));
  }
  CHECK(pair.counters.rx.drop_tap > 0);
  CHECK(pair.counters.rx.frames + pair.counters.rx.drop_tap == given);
}

TEST_CASE("A received frame that is not what its flags say is dropped and counted") {
  Pair pair(everything);
  auto frame = tcp(false, 100, partial);
  frame.bytes[12] = std::byte{0x88};
  REQUIRE(pair.rx.give(frame));
  REQUIRE(pair.queue->serve(false));
  CHECK(pair.tap.take().empty());
  CHECK(pair.counters.rx.drop_malformed == 1);
}

TEST_CASE("Wrong checksums are counted when asked for and delivered all the same") {
  Pair pair(everything, true, true);
  auto right = tcp(false, 100, {});
  REQUIRE(net::finish_checksum(right.bytes));
  auto wrong = right;
  wrong.bytes.back() ^= std::byte{1};
  REQUIRE(pair.rx.give(right));
  REQUIRE(pair.rx.give(wrong));
  REQUIRE(pair.queue->serve(false));
  CHECK(pair.tap.take().size() == 2);
  CHECK(pair.counters.rx.wrong_checksums == 1);
}

TEST_CASE("A backend that lies ends the queue with an error that says so") {
  Pair pair(everything);
  REQUIRE(pair.tap.give(tcp(false, 10, {})));
  REQUIRE(pair.queue->serve(true));
  SUBCASE("on the tx ring") {
    pair.tx.take();
    pair.tx.ring.respond({.id = 9999, .status = NETIF_RSP_OKAY});
    pair.tx.ring.publish();
  }
  SUBCASE("on the rx ring") {
    pair.rx.respond(0, 60, 77);
  }
  const auto served = pair.queue->serve(true);
  REQUIRE_FALSE(served);
  CHECK(served.error().what.starts_with("the backend broke the "));
}

TEST_CASE("Event channels are two if split and one otherwise") {
  Pair split(everything, true);
  CHECK(split.queue->keys().tx_event_channel != split.queue->keys().rx_event_channel);
  Pair joint(everything, false);
  CHECK(joint.queue->keys().tx_event_channel == joint.queue->keys().rx_event_channel);
}

TEST_CASE("A queue that ends takes back its grants and event channels") {
  Pair pair(everything);
  const auto port = pair.queue->keys().tx_event_channel;
  CHECK(pair.world.grants() > 0);
  pair.queue.reset();
  CHECK(pair.world.grants() == 0);
  CHECK_FALSE(pair.backend_channels->bind_interdomain(test::guest_domain, port));
}

}  // namespace ringback::frontend
