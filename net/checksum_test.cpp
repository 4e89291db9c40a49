#include "net/checksum.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;

// Sent by a Linux host into a tap without offloads.
constexpr const char* real_frames[] = {
    // UDP over IPv4
    "020000000002de8581f1af8d080045000021bef840004011f7cfc0000201c000020284d90007000df51e72696e672"
    "1",
    // TCP over IPv6
    "020000000002de8581f1af8d86dd600548a50028064020010db800000000000000000000000120010db80000000000"
    "00"
    "000000000002bcac0050bda830c100000000a002fd209a810000020405a00402080a542b5568000000000103030a",
    // ICMPv6 behind a hop-by-hop header
    "333300000016de8581f1af8d86dd6000000000380001fe80000000000000dc8581fffef1af8dff0200000000000000"
    "00"
    "0000000000163a000502000001008f00b16a0000000204000000ff0200000000000000000001fff1af8d04000000ff"
    "02"
    "00000000000000000001ff000001",
    // ICMPv6
    "333300000002de8581f1af8d86dd6000000000103afffe80000000000000dc8581fffef1af8dff0200000000000000"
    "00"
    "00000000000285005f24000000000101de8581f1af8d"};

TEST_CASE("RFC 1071's own example sums as it says") {
  CHECK(sum(bytes(from_hex("0001f203f4f5f6f7"))) == 0xddf2);
}

TEST_CASE("an IPv4 header with its checksum sums to all ones") {
  CHECK(sum(bytes(from_hex("450000730000400040110000c0a80001c0a800c7"))) == (~0xb861 & 0xffff));
  CHECK(sum(bytes(from_hex("45000073000040004011b861c0a80001c0a800c7"))) == 0xffff);
}

TEST_CASE("a sum of any length and alignment is the slow one") {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Octets octets;
    append_random(octets, seed < 300 ? seed : below(random, 5000), random);
    const std::size_t skip =
        octets.empty() ? 0 : below(random, std::min<std::size_t>(9, octets.size()));
    const auto start = static_cast<std::uint32_t>(random());
    std::uint32_t folded = start;
    while (folded > 0xffff) folded = (folded & 0xffff) + (folded >> 16);
    const Exactly exact(bytes(octets), octets.size());
    CHECK(sum(exact.span().subspan(skip), start) ==
          reference_sum(octets, skip, octets.size(), folded));
  }
}

TEST_CASE("no carry is lost in a long run of ones") {
  const Octets ones(70001, 0xff);
  CHECK(sum(bytes(ones).first(70000)) == 0xffff);
  CHECK(sum(bytes(ones)) == 0xff00);
  CHECK(sum(bytes(ones).first(70000), 0xffffffff) == 0xffff);
}

TEST_CASE("nothing sums to nothing") {
  CHECK(sum({}) == 0);
  CHECK(sum({}, 0x12345) == 0x2346);
}

TEST_CASE("frames from a real stack are right and a changed bit makes them wrong") {
  for (const auto* text : real_frames) {
    CAPTURE(text);
    Octets frame = from_hex(text);
    CHECK(checksum_is_right(bytes(frame)));
    frame.back() ^= 1;
    CHECK_FALSE(checksum_is_right(bytes(frame)));
  }
}

TEST_CASE("a real frame's checksum is found again from its pseudo-header") {
  for (const auto* text : real_frames) {
    CAPTURE(text);
    const Octets whole = from_hex(text);
    Octets frame = whole;
    const auto headers = parse_headers(bytes(frame), frame.size());
    REQUIRE(headers);
    const auto place = checksum_place(*headers);
    REQUIRE(place);
    put(frame, std::size_t{place->start} + place->offset, 2,
        pseudo_header_sum(bytes(frame), *headers, headers->packet_end - place->start));
    CHECK_FALSE(checksum_is_right(bytes(frame)));
    CHECK(finish_checksum(bytes(frame)));
    CHECK(frame == whole);
  }
}

TEST_CASE("a finished checksum is right to the slow reference and nothing else changes") {
  constexpr std::uint8_t protocols[] = {6, 17, 58};
  for (unsigned seed = 0; seed < 1500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Frame frame = random_frame(random, protocols[seed % 3], 3000);
    const auto headers = parse_headers(bytes(frame.octets), frame.octets.size());
    REQUIRE(headers);
    CHECK(pseudo_header_sum(bytes(frame.octets), *headers,
                            static_cast<std::uint32_t>(frame.end - frame.transport)) ==
          reference_pseudo_sum(frame, frame.octets));

    Octets finished = frame.octets;
    REQUIRE(finish_checksum(bytes(finished)));
    CHECK(reference_checksum_is_right(frame, finished));
    CHECK(checksum_is_right(bytes(finished)));
    Octets expected = frame.octets;
    put(expected, frame.checksum(), 2, number(finished, frame.checksum(), 2));
    CHECK(finished == expected);

    const std::size_t covered = frame.end - frame.transport;
    finished[frame.transport + below(random, covered)] ^= 0x10;
    CHECK(
        checksum_is_right(bytes(finished)) ==
        (parse_headers(bytes(finished), finished.size())->transport == Headers::Transport::other));
  }
}

TEST_CASE("a broken frame is summed or refused but never touched outside") {
  constexpr std::uint8_t protocols[] = {6, 17, 58};
  for (unsigned seed = 0; seed < 10000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Frame frame = random_frame(random, protocols[seed % 3], 60);
    break_headers(frame, random);
    const Exactly exact(bytes(frame.octets),
                        below(random, 2) == 0 ? frame.octets.size() : below(random, frame.end));
    const bool right = checksum_is_right(exact.span());
    const bool finished = finish_checksum(exact.span());
    CHECK((right || finished));  // what has no place for one is never wrong
  }
}

TEST_CASE("a UDP checksum of 0 is sent as all ones") {
  for (const bool v6 : {false, true}) {
    Random random(7);
    Frame frame = build({.v6 = v6, .protocol = 17, .payload_size = 2}, random);
    put(frame.octets, frame.payload, 2, 0);
    const std::uint32_t rest = reference_sum(frame.octets, frame.transport, frame.end);
    put(frame.octets, frame.payload, 2, 0xffff - rest);
    REQUIRE(finish_checksum(bytes(frame.octets)));
    CHECK(number(frame.octets, frame.checksum(), 2) == 0xffff);
    CHECK(checksum_is_right(bytes(frame.octets)));
  }
}

TEST_CASE("UDP may go without a checksum over IPv4 only") {
  for (const bool v6 : {false, true}) {
    Random random(8);
    Frame frame = build({.v6 = v6, .protocol = 17, .payload_size = 20}, random);
    put(frame.octets, frame.checksum(), 2, 0);
    CHECK(checksum_is_right(bytes(frame.octets)) == !v6);
  }
}

TEST_CASE("a UDP checksum covers what UDP says even in a longer packet") {
  Random random(9);
  Frame frame = build({.protocol = 17, .payload_size = 30}, random);
  put(frame.octets, frame.transport + 4, 2, 8 + 20);
  frame.padding = 10;
  put(frame.octets, frame.checksum(), 2, reference_pseudo_sum(frame, frame.octets));
  REQUIRE(finish_checksum(bytes(frame.octets)));
  CHECK(reference_checksum_is_right(frame, frame.octets));
  CHECK(checksum_is_right(bytes(frame.octets)));
}

TEST_CASE("a frame without a place for a checksum is left alone") {
  Random random(10);
  Frame fragment = build({.protocol = 17, .payload_size = 20}, random);
  put(fragment.octets, fragment.network + 6, 2, 0x2000);
  const Octets arp = from_hex("ffffffffffff02000000000108060001080006040001");
  const Frame icmp = build({.protocol = 1, .payload_size = 20}, random);
  for (const Octets& octets : {fragment.octets, arp, icmp.octets, Octets(13), Octets()}) {
    Octets copy = octets;
    CHECK_FALSE(finish_checksum(bytes(copy)));
    CHECK(copy == octets);
    CHECK(checksum_is_right(bytes(copy)));
  }
}

}  // namespace
}  // namespace ringback::net
