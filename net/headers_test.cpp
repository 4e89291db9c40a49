#include "net/headers.hpp"

#include <doctest/doctest.h>

#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;
using Network = Headers::Network;
using Transport = Headers::Transport;

Headers parse(const Octets& octets) {
  const auto headers = parse_headers(bytes(octets), octets.size());
  REQUIRE(headers);
  return *headers;
}

Frame make(Frame frame) {
  Random random(1);
  return build(std::move(frame), random);
}

// Where one field's wrong value makes a packet malformed.
Headers parse_with(Frame frame, std::size_t at, std::size_t size, std::uint32_t value) {
  put(frame.octets, at, size, value);
  return parse(frame.octets);
}

TEST_CASE("headers of every kind are found where they were built") {
  constexpr std::uint8_t protocols[] = {6, 17, 58};
  for (unsigned seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Frame frame = random_frame(random, protocols[seed % 3], 300);
    const Headers headers = parse(frame.octets);
    CHECK(headers.ether_type == (frame.v6 ? 0x86dd : 0x0800));
    CHECK(headers.network == (frame.v6 ? Network::ipv6 : Network::ipv4));
    CHECK(headers.network_offset == frame.network);
    CHECK(headers.transport == (frame.protocol == 6    ? Transport::tcp
                                : frame.protocol == 17 ? Transport::udp
                                                       : Transport::icmpv6));
    CHECK(headers.transport_offset == frame.transport);
    CHECK(headers.payload_offset == (frame.protocol == 58 ? 0 : frame.payload));
    CHECK(headers.packet_end == frame.end);
    CHECK_FALSE(headers.fragment);
    const auto place = checksum_place(headers);
    REQUIRE(place);
    CHECK(place->start == frame.transport);
    CHECK(std::size_t{place->start} + place->offset == frame.checksum());
  }
}

TEST_CASE("a truncated head is never read past its end and never misleads") {
  constexpr std::uint8_t protocols[] = {6, 17, 58};
  for (unsigned seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Frame frame = random_frame(random, protocols[seed % 3], 40);
    for (std::size_t size = 0; size <= frame.octets.size(); ++size) {
      CAPTURE(size);
      const Exactly head(bytes(frame.octets), size);
      const auto headers = parse_headers(head.span(), frame.octets.size());
      REQUIRE(headers.has_value() == (size >= ethernet_header_size));
      if (!headers) continue;
      const bool found = headers->transport != Transport::other;
      CHECK(found == (headers->transport_offset != 0));
      CHECK(checksum_place(*headers).has_value() == found);
      if (found) {
        CHECK(headers->transport_offset == frame.transport);
        CHECK(size > frame.checksum() + 1);
      }
      if (headers->network != Network::other) CHECK(headers->packet_end == frame.end);
    }
  }
}

TEST_CASE("broken headers never lead out of the frame or of its head") {
  constexpr std::uint8_t protocols[] = {6, 17, 58};
  for (unsigned seed = 0; seed < 20000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Frame frame = random_frame(random, protocols[seed % 3], 60);
    break_headers(frame, random);
    const Exactly head(bytes(frame.octets), below(random, frame.octets.size() + 1));
    const auto headers = parse_headers(head.span(), frame.octets.size());
    if (!headers) continue;
    CHECK(headers->network_offset <= head.span().size());
    CHECK(headers->packet_end <= frame.octets.size());
    CHECK(headers->payload_offset <= headers->packet_end);
    if (const auto place = checksum_place(*headers)) {
      CHECK(std::size_t{place->start} + place->offset + 2 <= head.span().size());
      CHECK(std::size_t{place->start} + place->offset + 2 <= headers->packet_end);
    }
  }
}

TEST_CASE("the head of a large frame is enough") {
  const Frame frame = make({.v6 = true, .payload_size = 60000});
  const auto headers = parse_headers(bytes(frame.octets).first(head_size), frame.octets.size());
  REQUIRE(headers);
  CHECK(headers->transport == Transport::tcp);
  CHECK(headers->packet_end == frame.octets.size());
}

TEST_CASE("what is not IP is other") {
  Octets arp(60);
  put(arp, 12, 2, 0x0806);
  CHECK(parse(arp).ether_type == 0x0806);
  CHECK(parse(arp).network == Network::other);
  CHECK(parse(arp).network_offset == 14);
  CHECK_FALSE(checksum_place(parse(arp)));
}

TEST_CASE("a third VLAN tag is other") {
  const Headers headers = parse(make({.vlan_tags = 3}).octets);
  CHECK(headers.ether_type == 0x8100);
  CHECK(headers.network == Network::other);
}

TEST_CASE("a malformed IPv4 header is other") {
  const Frame frame = make({.payload_size = 10});
  const auto length = static_cast<std::uint32_t>(frame.end - frame.network);
  REQUIRE(parse(frame.octets).network == Network::ipv4);
  CHECK(parse_with(frame, 14, 1, 0x65).network == Network::other);            // version
  CHECK(parse_with(frame, 14, 1, 0x44).network == Network::other);            // header of 16 bytes
  CHECK(parse_with(frame, 14, 1, 0x4f).network == Network::other);            // past the packet
  CHECK(parse_with(frame, 14 + 2, 2, length + 1).network == Network::other);  // past the frame
  CHECK(parse_with(frame, 14 + 2, 2, 19).network == Network::other);
  CHECK(parse_with(frame, 14 + 2, 2, 0).network == Network::other);
  CHECK(parse_with(frame, 14 + 2, 2, 20).network == Network::ipv4);  // all padding
  CHECK(parse_with(frame, 14 + 2, 2, 20).transport == Transport::other);
}

TEST_CASE("a malformed IPv6 header is other") {
  const Frame frame = make({.v6 = true, .payload_size = 10});
  REQUIRE(parse(frame.octets).network == Network::ipv6);
  CHECK(parse_with(frame, 14, 1, 0x40).network == Network::other);
  CHECK(parse_with(frame, 14 + 4, 2, 31).network == Network::other);
  CHECK(parse_with(frame, 14 + 4, 2, 0).network == Network::other);
  CHECK(parse_with(frame, 14 + 4, 2, 29).packet_end == frame.end - 1);
}

TEST_CASE("a malformed transport header is other") {
  const Frame tcp = make({.payload_size = 11});
  CHECK(parse_with(tcp, tcp.transport + 12, 1, 0x40).transport == Transport::other);
  CHECK(parse_with(tcp, tcp.transport + 12, 1, 0x80).transport == Transport::other);
  CHECK(parse_with(tcp, tcp.transport + 12, 1, 0x70).payload_offset == tcp.payload + 8);
  const Frame udp = make({.protocol = 17, .payload_size = 10});
  CHECK(parse_with(udp, udp.transport + 4, 2, 7).transport == Transport::other);
  CHECK(parse_with(udp, udp.transport + 4, 2, 19).transport == Transport::other);
  CHECK(parse_with(udp, udp.transport + 4, 2, 8).transport == Transport::udp);
}

TEST_CASE("ICMP belongs to IPv4 and ICMPv6 to IPv6") {
  CHECK(parse(make({.protocol = 1}).octets).transport == Transport::icmp);
  CHECK(parse(make({.v6 = true, .protocol = 58}).octets).transport == Transport::icmpv6);
  CHECK(parse(make({.protocol = 58}).octets).transport == Transport::other);
  CHECK(parse(make({.v6 = true, .protocol = 1}).octets).transport == Transport::other);
  CHECK_FALSE(checksum_place(parse(make({.protocol = 1}).octets)));
}

TEST_CASE(
    "an IPv4 fragment has a transport header only at its beginning and no place for a checksum") {
  const Frame frame = make({.protocol = 17, .payload_size = 10});
  const Headers first = parse_with(frame, frame.network + 6, 2, 0x2000);
  CHECK(first.fragment);
  CHECK(first.transport == Transport::udp);
  CHECK_FALSE(checksum_place(first));
  for (const std::uint32_t field : {0x2001U, 0x0001U}) {
    const Headers later = parse_with(frame, frame.network + 6, 2, field);
    CHECK(later.fragment);
    CHECK(later.transport == Transport::other);
    CHECK(later.transport_offset == 0);
  }
}

TEST_CASE("the first fragment of a UDP packet may be shorter than UDP says") {
  Frame frame = make({.protocol = 17, .payload_size = 10});
  put(frame.octets, frame.transport + 4, 2, 4000);
  CHECK(parse(frame.octets).transport == Transport::other);
  CHECK(parse_with(frame, frame.network + 6, 2, 0x2000).transport == Transport::udp);
}

TEST_CASE(
    "an IPv6 fragment has a transport header only at its beginning and no place for a checksum") {
  const Frame frame = make({.v6 = true, .extensions = {0, 44}, .payload_size = 10});
  const std::size_t field = frame.transport - 8 + 2;
  CHECK_FALSE(parse(frame.octets).fragment);
  const Headers first = parse_with(frame, field, 2, 1);
  CHECK(first.fragment);
  CHECK(first.transport == Transport::tcp);
  CHECK_FALSE(checksum_place(first));
  const Headers later = parse_with(frame, field, 2, 8);
  CHECK(later.fragment);
  CHECK(later.transport == Transport::other);
}

TEST_CASE("a chain of IPv6 extension headers that does not end is given up") {
  CHECK(parse(make({.v6 = true, .extensions = Octets(8, 60)}).octets).transport == Transport::tcp);
  CHECK(parse(make({.v6 = true, .extensions = Octets(9, 60)}).octets).transport ==
        Transport::other);
}

TEST_CASE("an IPv6 extension header past the packet is malformed") {
  const Frame frame = make({.v6 = true, .extensions = {60}, .payload_size = 10, .padding = 3000});
  CHECK(parse_with(frame, frame.network + 41, 1, 255).transport == Transport::other);
}

}  // namespace
}  // namespace ringback::net
