#include "backend/rx_sink.hpp"

#include <doctest/doctest.h>

#include <random>

#include "backend/test_guest.hpp"
#include "net/checksum.hpp"

using namespace ringback;
using namespace ringback::backend;

namespace {

struct World : GuestWorld {
  explicit World(net::Abilities abilities = TestGuest::all(), std::size_t buffers = 256)
      : GuestWorld(buffers),
        rx_pages(
            grants->map(1, {&guest.rings.refs()[1], 1}, hypervisor::Access::read_write).value()),
        port(events->bind_interdomain(1, guest.rx_port).value()),
        sink(1, *ring::RxBackRing::attach(rx_pages.bytes()), *events, port, abilities,
             [this] { ++times_found_broken; }) {}

  void deliver(Bytes& bytes, const net::Offload& offload = {}) {
    Frame frame{.head = bytes,
                .rest = {},
                .domain = 0,
                .size = static_cast<std::uint32_t>(bytes.size()),
                .offload = offload,
                .failed = false};
    Frame* list = &frame;
    sink.deliver({&list, 1}, copier);
  }
  std::uint64_t drops(Drop reason) const {
    return sink.counters().drops[static_cast<std::size_t>(reason)].get();
  }

  hypervisor::Mapping rx_pages;
  hypervisor::Port port;
  int times_found_broken = 0;
  RxSink sink;
};

struct Through : hypervisor::GrantUser {
  explicit Through(hypervisor::GrantUser& user) : real(user) {}
  Result<hypervisor::Mapping> map(hypervisor::DomainId domain,
                                  std::span<const hypervisor::GrantRef> refs,
                                  hypervisor::Access access) override {
    return real.map(domain, refs, access);
  }
  Result<void> copy(std::span<hypervisor::Copy> batch) override { return real.copy(batch); }
  hypervisor::GrantUser& real;
};

struct CallsCounted : Through {
  using Through::Through;
  Result<void> copy(std::span<hypervisor::Copy> batch) override {
    ++calls;
    return real.copy(batch);
  }
  int calls = 0;
};

// Domain 2 has granted only the first bytes of its pages, as Xen's sub-page grants do
// (grant_entry_v2).
struct SubPageGrants : Through {
  using Through::Through;
  Result<void> copy(std::span<hypervisor::Copy> batch) override {
    for (hypervisor::Copy& copy : batch) {
      const bool theirs = (copy.flags & GNTCOPY_source_gref) != 0 && copy.source.foreign.domid == 2;
      if (theirs && copy.source.foreign.offset + copy.len > granted)
        copy.status = GNTST_general_error;
      else if (auto done = real.copy({&copy, 1}); !done)
        return done;
    }
    return {};
  }
  static constexpr int granted = 300;
};

// A head that is here, and a piece of domain 2.
Frame frame_of(Bytes& head, const ring::Piece& piece) {
  return {.head = head,
          .rest = {&piece, 1},
          .domain = 2,
          .size = static_cast<std::uint32_t>(head.size() + piece.size),
          .offload = {},
          .failed = false};
}

constexpr net::Offload gso_frame{net::Checksum::partial, net::Gso::tcpv4, 1448};

}  // namespace

TEST_CASE("frames of every size reach the guest with the same bytes") {
  World world;
  std::mt19937 random(3);
  for (std::size_t size = 14; size <= ring::max_rx_size; size += 1 + random() % 131) {
    Bytes frame = test_frame(1, 2, size, static_cast<std::uint8_t>(size));
    world.deliver(frame);
    const auto received = world.guest.receive();
    REQUIRE(received.size() == 1);
    REQUIRE(received.front().bytes == frame);
    world.guest.post(ring::max_rx_slots);
  }
}

TEST_CASE("while the guest's ring is full frames wait in order and follow when there is room") {
  World world(TestGuest::all(), 3);
  std::vector<Bytes> sent;
  for (std::uint8_t i = 0; i < 40; ++i) {
    sent.push_back(test_frame(1, 2, 200, i));
    world.deliver(sent.back());
  }
  CHECK(world.sink.congested());
  CHECK(world.guest.receive().size() == 3);
  const auto notified = world.hypervisor.notifications(0, world.port);
  world.guest.post(37);
  world.guest.events->notify(world.guest.rx_port);
  CHECK(world.hypervisor.notifications(0, world.port) == notified + 1);
  world.sink.drain(world.copier);
  CHECK_FALSE(world.sink.congested());
  const auto rest = world.guest.receive();
  REQUIRE(rest.size() == 37);
  for (std::size_t i = 0; i < rest.size(); ++i) CHECK(rest[i].bytes == sent[i + 3]);
}

TEST_CASE("a guest that posts no buffers costs a bounded backlog and then drops") {
  World world(TestGuest::all(), 0);
  Bytes frame = test_frame(1, 2, 60000);
  for (int i = 0; i < 100; ++i) world.deliver(frame);
  CHECK(world.drops(Drop::full) == 100 - Backlog::byte_limit / 60000);
  CHECK(world.sink.counters().frames.get() == 0);
}

TEST_CASE("a guest without GSO gets segments with complete checksums") {
  net::Abilities plain{.scatter_gather = true,
                       .checksum_v4 = false,
                       .checksum_v6 = false,
                       .gso_v4 = false,
                       .gso_v6 = false};
  World world(plain);
  Bytes frame = tcp_frame(20000);
  world.deliver(frame, gso_frame);
  const auto received = world.guest.receive();
  REQUIRE(received.size() == 14);
  Bytes payload;
  for (const auto& segment : received) {
    CHECK(segment.offload.gso == net::Gso::none);
    CHECK(segment.offload.checksum != net::Checksum::partial);
    CHECK(segment.bytes.size() <= 1502);
    CHECK(net::checksum_is_right(segment.bytes));
    payload.insert(payload.end(), segment.bytes.begin() + 54, segment.bytes.end());
  }
  CHECK(payload == Bytes(frame.begin() + 54, frame.end()));
}

TEST_CASE(
    "a guest without checksum offload gets complete checksums and the sender's bytes stay as they "
    "were") {
  net::Abilities plain{.scatter_gather = true,
                       .checksum_v4 = false,
                       .checksum_v6 = true,
                       .gso_v4 = false,
                       .gso_v6 = false};
  World world(plain);
  Bytes frame = tcp_frame(1000);
  const Bytes before = frame;
  world.deliver(frame, {net::Checksum::partial, net::Gso::none, 0});
  const auto received = world.guest.receive();
  REQUIRE(received.size() == 1);
  CHECK(net::checksum_is_right(received.front().bytes));
  CHECK(received.front().offload.checksum != net::Checksum::partial);
  CHECK(frame == before);
}

TEST_CASE("a guest without scatter-gather never gets a frame of two slots") {
  net::Abilities one_slot{.scatter_gather = false,
                          .checksum_v4 = true,
                          .checksum_v6 = true,
                          .gso_v4 = false,
                          .gso_v6 = false};
  World world(one_slot);
  Bytes big = test_frame(1, 2, 5000);
  world.deliver(big);
  CHECK(world.guest.receive().empty());
  CHECK(world.drops(Drop::too_big) == 1);
}

TEST_CASE("a bad buffer is answered with an error and the frames around it arrive") {
  World world(TestGuest::all(), 0);
  world.guest.post(1);
  world.hypervisor.revoke(1, world.guest.rx_pages.refs()[1]);
  world.guest.post(2);
  Bytes frame = test_frame(1, 2, 100);
  for (int i = 0; i < 3; ++i) world.deliver(frame);
  REQUIRE(world.guest.rx.unconsumed() == 3);
  CHECK(world.guest.rx.response(0).status == 100);
  CHECK(world.guest.rx.response(1).status < 0);
  CHECK(world.guest.rx.response(2).status == 100);
  CHECK(world.drops(Drop::bad_receiver) == 1);
}

TEST_CASE("in one burst a bad buffer and a bad sender cost their own frames and no other") {
  World world(TestGuest::all(), 0);
  world.guest.post(5);
  world.hypervisor.revoke(1, world.guest.rx_pages.refs()[1]);
  // And the fourth frame's end is not granted.
  const auto sender = world.hypervisor.grant_sharer(2);
  const auto pages = sender->share(0, 5, hypervisor::Access::read_only).value();
  world.hypervisor.revoke(2, pages.refs()[3]);
  Bytes head = test_frame(1, 2, 100);
  std::array<Frame, 5> frames;
  std::array<ring::Piece, 5> pieces;
  std::array<Frame*, 5> burst;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    pieces[i] = {pages.refs()[i], 0, 1000};
    frames[i] = frame_of(head, pieces[i]);
    burst[i] = &frames[i];
  }
  world.sink.deliver(burst, world.copier);
  REQUIRE(world.guest.rx.unconsumed() == 5);
  for (ring::Index i = 0; i < 5; ++i)
    CHECK((world.guest.rx.response(i).status == 1100) == (i != 1 && i != 3));
  CHECK(world.drops(Drop::bad_receiver) == 1);
  CHECK(world.drops(Drop::bad_grant) == 1);
  CHECK(world.sink.counters().frames.get() == 3);
  CHECK(world.sink.counters().bytes.get() == 3300);
  for (std::size_t i = 0; i < 5; ++i) CHECK(frames[i].failed == (i == 3));
}

TEST_CASE("a receiver all of whose buffers are bad costs its sender one more call a burst") {
  World world(TestGuest::all(), 0);
  world.guest.post(burst_size);
  for (std::size_t i = 0; i < burst_size; ++i)
    world.hypervisor.revoke(1, world.guest.rx_pages.refs()[i]);
  const auto sender = world.hypervisor.grant_sharer(2);
  const auto page = sender->share(0, 1, hypervisor::Access::read_only).value();
  const ring::Piece piece{page.refs()[0], 0, 1000};
  Bytes head = test_frame(1, 2, 100);
  std::vector<Frame> frames(burst_size, frame_of(head, piece));
  std::vector<Frame*> burst(burst_size);
  std::ranges::transform(frames, burst.begin(), [](Frame& frame) { return &frame; });
  CallsCounted calls(*world.grants);
  Copier copier(calls, *world.io);
  world.sink.deliver(burst, copier);
  CHECK(world.drops(Drop::bad_receiver) == burst_size);
  CHECK(calls.calls == 2);
  for (const Frame& frame : frames) CHECK_FALSE(frame.failed);
}

TEST_CASE("a sender that granted less than it sends is to blame and not its receiver") {
  World world;
  const auto sender = world.hypervisor.grant_sharer(2);
  const auto page = sender->share(0, 1, hypervisor::Access::read_only).value();
  const ring::Piece piece{page.refs()[0], 240, 1000};
  Bytes head = test_frame(1, 2, 240);
  Frame frame = frame_of(head, piece);
  Frame* burst = &frame;
  SubPageGrants grants(*world.grants);
  Copier copier(grants, *world.io);
  world.sink.deliver({&burst, 1}, copier);
  CHECK(frame.failed);
  CHECK(world.drops(Drop::bad_grant) == 1);
  CHECK(world.drops(Drop::bad_receiver) == 0);
}

TEST_CASE("a guest that lies about the rx ring's req_prod is found out") {
  World world(TestGuest::all(), 0);
  ring::SharedRing<ring::RxRequest, ring::RxResponse> raw(world.guest.rings.page(1));
  raw.publish_req_prod(5000);
  Bytes frame = test_frame(1, 2, 100);
  world.deliver(frame);
  CHECK(world.sink.broken());
  world.deliver(frame);
  CHECK(world.times_found_broken == 1);
}

TEST_CASE("what goes in is delivered or dropped with a reason") {
  World world(TestGuest::all(), 100);
  std::mt19937 random(4);
  std::uint64_t sent = 0;
  for (int i = 0; i < 5000; ++i) {
    Bytes frame = test_frame(1, 2, 14 + random() % 20000);
    world.deliver(frame);
    ++sent;
    if (random() % 3 == 0) {
      world.guest.receive();
      world.guest.post(random() % 20);
      world.sink.drain(world.copier);
    }
  }
  while (world.sink.congested()) {
    world.guest.receive();
    world.guest.post(256);
    world.sink.drain(world.copier);
  }
  std::uint64_t dropped = 0;
  for (const auto& counter : world.sink.counters().drops) dropped += counter.get();
  CHECK(world.sink.counters().frames.get() + dropped == sent);
}

TEST_CASE("frames that wait for a guest that goes are counted as dropped") {
  World world(TestGuest::all(), 3);
  for (int i = 0; i < 8; ++i) {
    Bytes frame = test_frame(1, 2, 100, static_cast<std::uint8_t>(i));
    world.deliver(frame);
  }
  CHECK(world.sink.congested());
  world.sink.give_up();
  CHECK_FALSE(world.sink.congested());
  CHECK(world.sink.counters().frames.get() + world.drops(Drop::no_receiver) == 8);
  CHECK(world.drops(Drop::no_receiver) > 0);
}
