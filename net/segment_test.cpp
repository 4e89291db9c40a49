#include "net/segment.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "net/checksum.hpp"
#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;

constexpr std::uint32_t fin = 0x01, psh = 0x08, cwr = 0x80;

std::vector<Octets> segments_of(const Octets& frame, std::uint16_t gso_size) {
  const Exactly exact(bytes(frame), frame.size());
  Segmenter segmenter(exact.span(), gso_size);
  REQUIRE(segmenter.valid());
  std::vector<Octets> result;
  while (!segmenter.done()) {
    Octets segment(segmenter.next_size());
    CHECK(segmenter.write_next(bytes(segment)) == segment.size());
    result.push_back(std::move(segment));
  }
  return result;
}

Octets part(const Octets& octets, std::size_t from, std::size_t to) {
  return {octets.begin() + static_cast<std::ptrdiff_t>(from),
          octets.begin() + static_cast<std::ptrdiff_t>(to)};
}

// What a segment's headers must be: the frame's, with these fields as a NIC would set them and the
// checksums, which are judged on their own, as found.
Octets expected_headers(const Frame& frame, const Octets& segment, std::size_t index, bool last,
                        std::size_t payload_before) {
  Octets headers = part(frame.octets, 0, frame.payload);
  const auto length = static_cast<std::uint32_t>(segment.size() - frame.network);
  if (frame.v6) {
    put(headers, frame.network + 4, 2, length - 40);
  } else {
    const auto id = number(frame.octets, frame.network + 4, 2) + static_cast<std::uint32_t>(index);
    put(headers, frame.network + 2, 2, length);
    put(headers, frame.network + 4, 2, id);
    put(headers, frame.network + 10, 2, number(segment, frame.network + 10, 2));
  }
  const auto sequence =
      number(frame.octets, frame.transport + 4, 4) + static_cast<std::uint32_t>(payload_before);
  put(headers, frame.transport + 4, 4, sequence);
  std::uint32_t flags = number(frame.octets, frame.transport + 13, 1);
  if (!last) flags &= ~(fin | psh);
  if (index > 0) flags &= ~cwr;
  put(headers, frame.transport + 13, 1, flags);
  put(headers, frame.checksum(), 2, number(segment, frame.checksum(), 2));
  return headers;
}

void check_segments(Frame frame, std::uint16_t gso_size) {
  const auto segments = segments_of(frame.octets, gso_size);
  const std::size_t full = (frame.payload_size + gso_size - 1) / gso_size;
  REQUIRE(segments.size() == std::max<std::size_t>(full, 1));
  frame.padding = 0;  // no segment has any
  Octets payload;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    CAPTURE(i);
    const Octets& segment = segments[i];
    const bool last = i + 1 == segments.size();
    if (!last) CHECK(segment.size() == frame.payload + gso_size);
    CHECK(part(segment, 0, frame.payload) ==
          expected_headers(frame, segment, i, last, payload.size()));
    if (!frame.v6) {
      CHECK(reference_sum(segment, frame.network, frame.network + 20 + frame.ip_options) == 0xffff);
    }
    CHECK(reference_checksum_is_right(frame, segment));
    CHECK(checksum_is_right(bytes(segment)));
    payload.insert(payload.end(), segment.begin() + static_cast<std::ptrdiff_t>(frame.payload),
                   segment.end());
  }
  CHECK(payload == part(frame.octets, frame.payload, frame.end));
}

TEST_CASE("segments carry the whole payload under headers as a NIC would write them") {
  for (unsigned seed = 0; seed < 600; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Frame frame = random_frame(random, 6, 9000);
    check_segments(frame, static_cast<std::uint16_t>(1 + below(random, 1500) + 40));
  }
}

TEST_CASE("the largest frame is segmented at any size") {
  constexpr std::uint16_t sizes[] = {536, 1448, 9000, 65535};
  for (const bool v6 : {false, true}) {
    Random random(11);
    const Frame frame = build({.v6 = v6, .payload_size = 65535 - 60}, random);
    for (const std::uint16_t gso_size : sizes) check_segments(frame, gso_size);
  }
}

TEST_CASE("one byte per segment works and the IPv4 id and the sequence number wrap") {
  Random random(12);
  Frame frame = build({.payload_size = 40}, random);
  put(frame.octets, frame.network + 4, 2, 0xfff0);
  put(frame.octets, frame.transport + 4, 4, 0xfffffff0);
  check_segments(frame, 1);
}

TEST_CASE("headers longer than the head are kept whole") {
  Random random(13);
  Frame frame = build({.vlan_tags = 2,
                       .v6 = true,
                       .extensions = Octets(8, 60),
                       .tcp_options = 40,
                       .payload_size = 3000},
                      random);
  REQUIRE(frame.payload > 200);
  check_segments(frame, 1000);
}

TEST_CASE("FIN and PSH are on the last segment only and CWR on the first only") {
  Random random(14);
  Frame frame = build({.payload_size = 3000}, random);
  put(frame.octets, frame.transport + 13, 1, 0xff);
  const auto segments = segments_of(frame.octets, 1000);
  REQUIRE(segments.size() == 3);
  CHECK(number(segments[0], frame.transport + 13, 1) == 0xf6);
  CHECK(number(segments[1], frame.transport + 13, 1) == 0x76);
  CHECK(number(segments[2], frame.transport + 13, 1) == 0x7f);
}

TEST_CASE("a frame without payload is one segment with everything as it was") {
  Random random(15);
  const Frame frame = build({.padding = 6}, random);
  check_segments(frame, 1448);
}

TEST_CASE("a segment is written within its size") {
  Random random(16);
  const Frame frame = build({.payload_size = 2500}, random);
  Segmenter segmenter(bytes(frame.octets), 1000);
  while (!segmenter.done()) {
    const Octets zeros(segmenter.next_size());
    const Exactly out(bytes(zeros), zeros.size());
    CHECK(segmenter.write_next(out.span()) == zeros.size());
  }
}

TEST_CASE("a broken frame is segmented or refused but never read or written outside") {
  for (unsigned seed = 0; seed < 5000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Frame frame = random_frame(random, 6, 100);
    break_headers(frame, random);
    const Exactly exact(bytes(frame.octets),
                        below(random, 2) == 0 ? frame.octets.size() : below(random, frame.end));
    Segmenter segmenter(exact.span(), static_cast<std::uint16_t>(1 + below(random, 60)));
    std::size_t segments = 0;
    for (; !segmenter.done(); ++segments) {
      const Octets zeros(segmenter.next_size());
      const Exactly out(bytes(zeros), zeros.size());
      CHECK(segmenter.write_next(out.span()) == zeros.size());
    }
    CHECK(segments <= frame.octets.size());
  }
}

TEST_CASE("what can't be segmented is not valid and done at once") {
  const auto refused = [](const Octets& octets, std::uint16_t gso_size) {
    const Segmenter segmenter(bytes(octets), gso_size);
    return !segmenter.valid() && segmenter.done();
  };
  Random random(17);
  Frame tcp = build({.payload_size = 3000}, random);
  CHECK_FALSE(refused(tcp.octets, 1000));
  CHECK(refused(tcp.octets, 0));
  CHECK(refused(build({.protocol = 17, .payload_size = 3000}, random).octets, 1000));
  CHECK(refused({}, 1000));
  CHECK(refused(part(tcp.octets, 0, tcp.end - 1), 1000));
  put(tcp.octets, tcp.network + 6, 2, 0x2000);
  CHECK(refused(tcp.octets, 1000));
}

}  // namespace
}  // namespace ringback::net
