#include "frontend/pktgen/frames.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "net/bytes.hpp"
#include "net/checksum.hpp"
#include "net/headers.hpp"
#include "net/segment.hpp"
#include "net/vnet_header.hpp"

namespace ringback::frontend {
namespace {

constexpr MacAddress from = {0x00, 0x16, 0x3e, 0, 0, 1}, to = {0x00, 0x16, 0x3e, 0, 0, 2};

std::vector<std::byte> make_frame(std::size_t size, const Stamp& stamp) {
  std::vector<std::byte> frame(size);
  const auto head = make_head(from, to, stamp.flow, size);
  write_head(frame.data(), head, stamp);
  write_payload(frame.data(), 0, size, head, stamp);
  return frame;
}

// The frame in parts cut anywhere, the first no shorter than a backend leaves it.
std::vector<iovec> cut(std::vector<std::byte>& frame, std::mt19937& random) {
  std::vector<iovec> parts;
  for (std::size_t at = 0; at < frame.size();) {
    const std::size_t size =
        std::min(frame.size() - at, std::max<std::size_t>(at == 0 ? 54 : 1, random() % 4097));
    parts.push_back({frame.data() + at, size});
    at += size;
  }
  return parts;
}

bool ip_checksum_is_right(std::span<const std::byte> frame) {
  return net::sum(frame.subspan(14, 20)) == 0xffff;
}

}  // namespace

TEST_CASE("A frame of any size comes back with its stamp and its payload however it is cut") {
  std::mt19937 random(7);
  for (std::size_t size = shortest_frame; size <= longest_frame;
       size += size < 2000 ? 1 : 1 + random() % 997) {
    const Stamp stamp{static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random()),
                      random()};
    auto frame = make_frame(size, stamp);
    CHECK(read_stamp(frame) == stamp);
    CHECK(payload_is_right(cut(frame, random), stamp));
  }
}

TEST_CASE("A frame written page by page is the one written at once") {
  const Stamp stamp{1, 2, 3};
  const auto head = make_head(from, to, 1, longest_frame);
  std::vector<std::byte> pages(std::size_t{17} * 4096);
  write_head(pages.data(), head, stamp);
  for (std::size_t at = 0; at < longest_frame; at += 4096)
    write_payload(pages.data() + at, at, std::min<std::size_t>(4096, longest_frame - at), head,
                  stamp);
  pages.resize(longest_frame);
  CHECK(pages == make_frame(longest_frame, stamp));
}

TEST_CASE("Any byte of payload that is changed is noticed") {
  std::mt19937 random(8);
  for (const std::size_t size : {61U, 64U, 1514U, 65535U}) {
    const Stamp stamp{3, 4, 5};
    auto frame = make_frame(size, stamp);
    const std::size_t payload_at = size > longest_datagram ? 72 : 60;
    for (int round = 0; round < 50; ++round) {
      const std::size_t at = payload_at + random() % (size - payload_at);
      frame[at] ^= std::byte{1};
      CHECK_FALSE(payload_is_right(cut(frame, random), stamp));
      frame[at] ^= std::byte{1};
    }
  }
}

TEST_CASE("Another frame's payload and swapped pages are noticed") {
  auto frame = make_frame(65535, {3, 4, 5});
  CHECK_FALSE(payload_is_right(std::vector<iovec>{{frame.data(), frame.size()}}, {3, 5, 5}));
  CHECK_FALSE(payload_is_right(std::vector<iovec>{{frame.data(), 4096},
                                                  {frame.data() + 8192, 4096},
                                                  {frame.data() + 4096, 4096},
                                                  {frame.data() + 12288, 65535 - 12288}},
                               {3, 4, 5}));
}

TEST_CASE("Frames are valid IPv4 with UDP up to 1514 bytes and TCP to be segmented above") {
  for (const std::size_t size : {60U, 1514U, 1515U, 65535U}) {
    const auto frame = make_frame(size, {100'000, 1, 1});
    const auto headers = net::parse_headers(frame, size);
    REQUIRE(headers);
    CHECK(headers->network == net::Headers::Network::ipv4);
    CHECK(headers->packet_end == size);
    CHECK(ip_checksum_is_right(frame));
    if (size <= longest_datagram) {
      CHECK(headers->transport == net::Headers::Transport::udp);
      CHECK(net::load16(frame, 38) == size - 34);
      continue;
    }
    const auto offload = make_head(from, to, 0, size).offload;
    CHECK(net::is_credible(offload, frame, size));
    net::Segmenter segmenter(frame, offload.gso_size);
    REQUIRE(segmenter.valid());
    std::vector<std::byte> segment(segmenter.next_size());
    segmenter.write_next(segment);
    CHECK(net::checksum_is_right(segment));
  }
}

TEST_CASE("Flows differ in a port and then in their addresses") {
  const auto a = make_head(from, to, 0, 60), b = make_head(from, to, 1, 60),
             c = make_head(from, to, 50000, 60);
  CHECK(net::load16(a.bytes, 34) + 1 == net::load16(b.bytes, 34));
  CHECK(net::load32(a.bytes, 26) + 1 == net::load32(c.bytes, 26));
  CHECK(net::load16(a.bytes, 34) == net::load16(c.bytes, 34));
}

TEST_CASE("A frame of somebody else has no stamp") {
  auto frame = make_frame(60, {1, 2, 3});
  CHECK_FALSE(read_stamp(std::span(frame).first(59)));
  frame[42] ^= std::byte{1};
  CHECK_FALSE(read_stamp(frame));
  frame[42] ^= std::byte{1};
  frame[13] = std::byte{6};
  CHECK_FALSE(read_stamp(frame));
}

}  // namespace ringback::frontend
