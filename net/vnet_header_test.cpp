#include "net/vnet_header.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;

std::optional<VnetHeader> header_of(const Offload& offload, const Octets& octets) {
  const std::size_t head = std::min(octets.size(), head_size);
  return to_vnet_header(offload, bytes(octets).first(head), octets.size());
}

Frame make(Frame frame) {
  Random random(1);
  return build(std::move(frame), random);
}

TEST_CASE("the layout is the kernel's") {
  const VnetHeader header{1, 4, 0x0102, 0x0304, 0x0506, 0x0708};
  Octets octets(sizeof(header));
  std::memcpy(octets.data(), &header, sizeof(header));
  CHECK(octets == from_hex("01040201040306050807"));
}

TEST_CASE("a frame that asks for nothing gets an empty header whatever it is") {
  const auto header = header_of({}, Octets(3));
  REQUIRE(header);
  CHECK(header->flags == 0);
  CHECK(header->gso_type == 0);
  CHECK(header->checksum_start == 0);
  const auto verified = header_of({.checksum = Checksum::verified}, Octets(3));
  REQUIRE(verified);
  CHECK(verified->flags == 2);
}

TEST_CASE("a partial checksum is placed by the frame's own headers") {
  constexpr std::uint8_t protocols[] = {6, 17, 58};
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Frame frame = random_frame(random, protocols[seed % 3], 200);
    const auto header = header_of({.checksum = Checksum::partial}, frame.octets);
    REQUIRE(header);
    CHECK(header->flags == 1);
    CHECK(header->gso_type == 0);
    CHECK(header->gso_size == 0);
    CHECK(header->checksum_start == frame.transport);
    CHECK(std::size_t{header->checksum_start} + header->checksum_offset == frame.checksum());
  }
}

TEST_CASE("a GSO frame says where its payload begins and always needs a checksum") {
  for (const bool v6 : {false, true}) {
    for (const Checksum checksum : {Checksum::unknown, Checksum::verified, Checksum::partial}) {
      Frame frame = make({.v6 = v6, .tcp_options = 12, .payload_size = 5000});
      put(frame.octets, frame.transport + 13, 1, 0x10);
      const auto header = header_of({checksum, v6 ? Gso::tcpv6 : Gso::tcpv4, 1448}, frame.octets);
      REQUIRE(header);
      CHECK(header->flags == 1);
      CHECK(header->gso_type == (v6 ? 4 : 1));
      CHECK(header->gso_size == 1448);
      CHECK(header->header_length == frame.payload);
      CHECK(header->checksum_start == frame.transport);
      CHECK(header->checksum_offset == 16);
    }
  }
}

TEST_CASE("a GSO frame with CWR is marked for ECN") {
  Frame frame = make({.payload_size = 5000});
  put(frame.octets, frame.transport + 13, 1, 0x90);
  const auto header = header_of({Checksum::partial, Gso::tcpv4, 1448}, frame.octets);
  REQUIRE(header);
  CHECK(header->gso_type == 0x81);
}

TEST_CASE("a frame that can't be what its offload says gets no header") {
  const Frame v4 = make({.payload_size = 3000});
  const Frame v6 = make({.v6 = true, .payload_size = 3000});
  const Frame udp = make({.protocol = 17, .payload_size = 3000});
  const Frame icmp = make({.protocol = 1, .payload_size = 30});
  const Offload gso_v4{Checksum::partial, Gso::tcpv4, 1448};
  const Offload gso_v6{Checksum::partial, Gso::tcpv6, 1448};
  CHECK(header_of(gso_v4, v4.octets));
  CHECK_FALSE(header_of(gso_v6, v4.octets));
  CHECK(header_of(gso_v6, v6.octets));
  CHECK_FALSE(header_of(gso_v4, v6.octets));
  CHECK_FALSE(header_of(gso_v4, udp.octets));
  CHECK_FALSE(header_of({.checksum = Checksum::partial}, icmp.octets));
  CHECK_FALSE(header_of({.checksum = Checksum::partial}, Octets(3)));
  CHECK_FALSE(to_vnet_header(gso_v4, bytes(v4.octets).first(40), v4.octets.size()));
}

TEST_CASE("what goes into a tap comes out of one the same") {
  Frame v4 = make({.payload_size = 3000});
  Frame v6 = make({.v6 = true, .payload_size = 3000});
  for (const std::uint32_t flags : {0x10U, 0x90U}) {
    put(v4.octets, v4.transport + 13, 1, flags);
    put(v6.octets, v6.transport + 13, 1, flags);
    for (const Offload& offload :
         {Offload{}, Offload{.checksum = Checksum::verified},
          Offload{.checksum = Checksum::partial}, Offload{Checksum::partial, Gso::tcpv4, 1448}}) {
      CHECK(from_vnet_header(header_of(offload, v4.octets).value()) == offload);
    }
    const Offload gso_v6{Checksum::partial, Gso::tcpv6, 1428};
    CHECK(from_vnet_header(header_of(gso_v6, v6.octets).value()) == gso_v6);
  }
}

TEST_CASE("a partial checksum wins over a verified one") {
  CHECK(from_vnet_header({.flags = 3})->checksum == Checksum::partial);
}

TEST_CASE("a GSO size without GSO means nothing") {
  CHECK(from_vnet_header({.gso_size = 1448}) == Offload{});
}

TEST_CASE("ECN is accepted") {
  CHECK(from_vnet_header({.flags = 1, .gso_type = 0x81, .gso_size = 1000}) ==
        Offload{Checksum::partial, Gso::tcpv4, 1000});
}

TEST_CASE("what netif can't express is nothing") {
  for (const std::uint8_t type : Octets{2, 3, 5, 6, 0x83, 0x85, 0x7f}) {
    CAPTURE(type);
    CHECK_FALSE(from_vnet_header({.flags = 1, .gso_type = type, .gso_size = 1000}));
  }
  CHECK_FALSE(from_vnet_header({.flags = 1, .gso_type = 1, .gso_size = 0}));
}

}  // namespace
}  // namespace ringback::net
