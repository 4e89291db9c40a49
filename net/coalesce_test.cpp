#include "net/coalesce.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "net/segment.hpp"
#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;

constexpr std::uint32_t fin = 0x01, psh = 0x08, ack = 0x10, urg = 0x20, ece = 0x40, cwr = 0x80;

std::vector<Octets> segments_of(const Octets& frame, std::size_t size) {
  Segmenter segmenter(bytes(frame), static_cast<std::uint16_t>(size));
  REQUIRE(segmenter.valid());
  std::vector<Octets> result;
  while (!segmenter.done()) {
    Octets segment(segmenter.next_size());
    segmenter.write_next(bytes(segment));
    result.push_back(std::move(segment));
  }
  return result;
}

// A super-frame as TCP would send it, but for its IPv4 checksum.
Frame super_frame(Frame frame, Random& random, std::uint32_t flags = ack) {
  frame.padding = 0;
  frame = build(frame, random);
  put(frame.octets, frame.transport + 13, 1, flags);
  if (!frame.v6) put(frame.octets, frame.network + 6, 2, 0);  // its id counts
  return frame;
}

struct Went {
  Octets octets;
  Offload offload;
  std::size_t segments;
};

// Frames of exactly their size in, frames of exactly theirs out.
std::vector<Went> coalesce(const std::vector<Octets>& frames,
                           std::size_t largest = Coalescer::largest_frame) {
  std::vector<Exactly> came;
  came.reserve(frames.size());
  for (const auto& frame : frames) came.emplace_back(bytes(frame), frame.size());
  Coalescer coalescer(largest);
  for (const auto& frame : came) coalescer.add(frame.span());
  std::vector<Went> result;
  for (const auto& run : coalescer.runs()) {
    Octets octets(run.size);
    if (run.segments == 1)
      std::memcpy(octets.data(), run.frame.data(), run.size);
    else
      coalescer.write(run, bytes(octets));
    result.push_back({std::move(octets), run.offload, run.segments});
  }
  return result;
}

std::vector<std::size_t> segments_of_runs(const std::vector<Octets>& frames,
                                          std::size_t largest = Coalescer::largest_frame) {
  std::vector<std::size_t> result;
  for (const auto& went : coalesce(frames, largest)) result.push_back(went.segments);
  return result;
}
using Counts = std::vector<std::size_t>;

// With its TCP checksum as it should be.
void finish(const Frame& frame, Octets& octets) {
  put(octets, frame.checksum(), 2, 0);
  const auto sum =
      reference_sum(octets, frame.transport, octets.size(), reference_pseudo_sum(frame, octets));
  put(octets, frame.checksum(), 2, ~sum & 0xffff);
}
void finish_ipv4(const Frame& frame, Octets& octets) {
  put(octets, frame.network + 10, 2, 0);
  const auto sum = reference_sum(octets, frame.network, frame.transport);
  put(octets, frame.network + 10, 2, ~sum & 0xffff);
}

const Frame plain{.tcp_options = 12, .payload_size = 5'000};

TEST_CASE("segments of any super-frame become it again") {
  Random random(1);
  int rounds = 0;
  for (int round = 0; round < 2000; ++round) {
    Frame kind = random_frame(random, 6, 20'000);
    kind.ip_options = 0;
    kind.extensions.clear();
    if (kind.payload_size < smallest_segment) continue;
    const std::uint32_t flags = ack | (random() % 2 != 0U ? ece : 0) |
                                (random() % 2 != 0U ? psh : 0) | (random() % 4 == 0U ? fin : 0);
    kind.octets.clear();
    const Frame frame = super_frame(kind, random, flags);
    const std::size_t size =
        std::max<std::size_t>(smallest_segment, frame.payload_size / (2 + below(random, 40)));
    const auto came = segments_of(frame.octets, size);
    if (came.size() < 2 || came.size() > Coalescer::max_frames) continue;
    ++rounds;
    const auto went = coalesce(came);
    REQUIRE(went.size() == 1);
    Octets expected = frame.octets;
    put(expected, frame.checksum(), 2, reference_pseudo_sum(frame, expected));
    if (!frame.v6) finish_ipv4(frame, expected);
    CHECK(went[0].octets == expected);
    CHECK(went[0].offload == Offload{Checksum::partial, frame.v6 ? Gso::tcpv6 : Gso::tcpv4,
                                     static_cast<std::uint16_t>(size)});
  }
  CHECK(rounds > 1000);
}

TEST_CASE("whatever comes goes: in segments again it is the same and in a flow's order") {
  Random random(2);
  std::size_t coalesced = 0;
  for (int round = 0; round < 500; ++round) {
    // Some flows, each with its own frames in order, a few of them spoiled, dealt like cards.
    std::vector<std::vector<Octets>> flows(1 + below(random, 12));
    for (auto& flow : flows) {
      Frame kind = random_frame(random, 6, 8'000);
      kind.octets.clear();
      const Frame frame = super_frame(kind, random, ack | (random() % 8 == 0U ? psh : 0));
      flow = segments_of(frame.octets, smallest_segment + below(random, 1400));
      for (auto& segment : flow) {
        if (below(random, 8) != 0) continue;
        Frame spoiled = frame;
        spoiled.octets = segment;
        if (below(random, 2) == 0) {
          break_headers(spoiled, random);
        } else {  // one that is right, but for a byte that makes it another's
          put(spoiled.octets, frame.transport + 4 + below(random, 16), 1, random() & 0xff);
          put(spoiled.octets, frame.transport + 12, 1,
              static_cast<std::uint32_t>((5 + frame.tcp_options / 4) * 16));
          finish(frame, spoiled.octets);
        }
        segment = spoiled.octets;
      }
    }
    std::vector<Octets> came;
    std::vector<std::size_t> dealt(flows.size());
    for (std::size_t i = 0; i < Coalescer::max_frames; ++i) {
      const std::size_t flow = below(random, flows.size());
      if (dealt[flow] < flows[flow].size()) came.push_back(flows[flow][dealt[flow]++]);
    }

    std::vector<Octets> went;
    for (const auto& frame : coalesce(came, 4'000)) {
      CHECK((frame.segments == 1 || frame.octets.size() <= 4'000));
      coalesced += frame.segments - 1;
      if (frame.segments == 1)
        went.push_back(frame.octets);
      else
        std::ranges::copy(segments_of(frame.octets, frame.offload.gso_size),
                          std::back_inserter(went));
    }
    REQUIRE(went.size() == came.size());
    for (std::size_t flow = 0; flow < flows.size(); ++flow) {
      auto place = went.begin();
      for (std::size_t i = 0; i < dealt[flow]; ++i) {
        place = std::find(place, went.end(), flows[flow][i]);
        REQUIRE(place != went.end());
        ++place;
      }
    }
  }
  CAPTURE(coalesced);
  CHECK(coalesced > 250);  // it is no test of leaving all alone
}

TEST_CASE("a wrong checksum stays wrong") {
  Random random(3);
  for (const bool v6 : {false, true}) {
    Frame kind = plain;
    kind.v6 = v6;
    const Frame frame = super_frame(kind, random);
    for (std::size_t wrong = 0; wrong < 5; ++wrong) {
      auto came = segments_of(frame.octets, 1000);
      came[wrong].back() ^= 1;
      auto expected = Counts{wrong, 1, 4 - wrong};
      if (wrong == 0) expected = {1, 4};
      if (wrong == 4) expected = {4, 1};
      CHECK(segments_of_runs(came) == expected);
    }
  }
  const Frame frame = super_frame(plain, random);
  auto came = segments_of(frame.octets, 1000);
  came[2][frame.network + 10] ^= 1;  // IPv4's own
  CHECK(segments_of_runs(came) == Counts{2, 1, 2});
}

TEST_CASE("what is not all the same but for its place ends a run") {
  Random random(4);
  const Frame frame = super_frame(plain, random);
  const auto broken = [&](std::size_t at, std::size_t size, std::uint32_t value) {
    auto came = segments_of(frame.octets, 1000);
    put(came[2], at, size, value);
    finish_ipv4(frame, came[2]);
    finish(frame, came[2]);
    return segments_of_runs(came);
  };
  const auto now = [&](std::size_t at, std::size_t size) {
    return number(segments_of(frame.octets, 1000)[2], at, size);
  };
  const std::size_t network = frame.network, transport = frame.transport;
  CHECK(broken(network + 8, 1, now(network + 8, 1)) == Counts{5});
  CHECK(broken(network + 8, 1, now(network + 8, 1) ^ 1) == Counts{2, 1, 2});        // TTL
  CHECK(broken(network + 1, 1, now(network + 1, 1) ^ 3) == Counts{2, 1, 2});        // ECN
  CHECK(broken(network + 4, 2, now(network + 4, 2) ^ 1) == Counts{2, 1, 2});        // id
  CHECK(broken(network + 6, 2, 0x2000) == Counts{2, 1, 2});                         // a fragment
  CHECK(broken(transport + 4, 4, now(transport + 4, 4) + 1) == Counts{2, 1, 2});    // sequence
  CHECK(broken(transport + 8, 4, now(transport + 8, 4) + 1) == Counts{2, 1, 2});    // ack
  CHECK(broken(transport + 14, 2, now(transport + 14, 2) ^ 1) == Counts{2, 1, 2});  // window
  CHECK(broken(transport + 20, 4, now(transport + 20, 4) ^ 1) == Counts{2, 1, 2});  // options
  CHECK(broken(transport + 13, 1, ack | urg) == Counts{2, 1, 2});
  CHECK(broken(transport + 13, 1, ack | cwr) == Counts{2, 1, 2});
  CHECK(broken(transport + 13, 1, 0) == Counts{2, 1, 2});
  CHECK(broken(transport + 13, 1, ack | psh) == Counts{3, 2});
  CHECK(broken(transport + 13, 1, ack | fin) == Counts{3, 2});
}

TEST_CASE("the id of a packet that may not be fragmented means nothing") {
  Random random(5);
  Frame frame = super_frame(plain, random);
  put(frame.octets, frame.network + 6, 2, 0x4000);
  auto came = segments_of(frame.octets, 1000);
  put(came[2], frame.network + 4, 2, random() & 0xffff);
  finish_ipv4(frame, came[2]);
  CHECK(segments_of_runs(came) == Counts{5});
}

TEST_CASE("a segment that is shorter is the last") {
  Random random(6);
  const Frame frame = super_frame({.payload_size = 4'500}, random);
  CHECK(segments_of_runs(segments_of(frame.octets, 1000)) == Counts{5});
  Frame next = frame;
  put(next.octets, frame.transport + 4, 4, number(frame.octets, frame.transport + 4, 4) + 4'500);
  put(next.octets, frame.network + 4, 2, number(frame.octets, frame.network + 4, 2) + 5);
  auto came = segments_of(frame.octets, 1000);
  std::ranges::copy(segments_of(next.octets, 1000), std::back_inserter(came));
  CHECK(segments_of_runs(came) == Counts{5, 5});
}

TEST_CASE("no segment goes before one of its flow that came before it") {
  Random random(7);
  const Frame frame = super_frame(plain, random);
  auto came = segments_of(frame.octets, 1000);
  Octets only_ack(came[2].begin(), came[2].begin() + static_cast<std::ptrdiff_t>(frame.payload));
  put(only_ack, frame.network + 2, 2, static_cast<std::uint32_t>(only_ack.size() - frame.network));
  finish_ipv4(frame, only_ack);
  finish(frame, only_ack);
  came.insert(came.begin() + 2, only_ack);
  CHECK(segments_of_runs(came) == Counts{2, 1, 3});
}

TEST_CASE("nor before what may be one of its flow") {
  Random random(10);
  const Frame frame = super_frame(plain, random);
  const auto with = [&](Frame other) {
    other = super_frame(other, random);
    auto came = segments_of(frame.octets, 1000);
    came.insert(came.begin() + 2, other.octets);
    return segments_of_runs(came);
  };
  CHECK(with({.ip_options = 4, .payload_size = 100}) == Counts{2, 1, 3});
  CHECK(with({.v6 = true, .extensions = {60}, .payload_size = 100}) == Counts{2, 1, 3});
  CHECK(with({.protocol = 17, .payload_size = 100}) == Counts{5, 1});
  auto came = segments_of(frame.octets, 1000);
  Octets fragment = came[2];
  put(fragment, frame.network + 6, 2, 0x2001);
  came.insert(came.begin() + 2, fragment);
  CHECK(segments_of_runs(came) == Counts{2, 1, 3});
}

TEST_CASE("a frame with padding stays as it is") {
  Random random(8);
  const Frame frame = super_frame({.payload_size = 96}, random);
  auto came = segments_of(frame.octets, 48);
  CHECK(segments_of_runs(came) == Counts{2});
  came[1].push_back(0);
  CHECK(segments_of_runs(came) == Counts{1, 1});
}

TEST_CASE("a super-frame is no larger than it may be") {
  Random random(9);
  const Frame frame = super_frame({.payload_size = 40'000}, random);
  const auto came = segments_of(frame.octets, 1000);
  const std::size_t header_size = frame.payload;
  CHECK(segments_of_runs(came, header_size + 8'000) == Counts{8, 8, 8, 8, 8});
  CHECK(segments_of_runs(came, header_size + 7'999) == Counts{7, 7, 7, 7, 7, 5});
}

}  // namespace
}  // namespace ringback::net
