#include "ring/rx_chain.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

using namespace ringback::ring;
using namespace ringback;

namespace {

using Responses = std::vector<RxResponse>;

constexpr std::uint16_t more = NETRXF_more_data;
constexpr std::uint16_t extra = NETRXF_extra_info;

const auto ids = [] {
  std::array<std::uint16_t, 256> all;
  std::iota(all.begin(), all.end(), std::uint16_t{0});
  return all;
}();

RxResponse slot(std::uint16_t id, int status, unsigned flags = 0, std::uint16_t offset = 0) {
  return {id, offset, static_cast<std::uint16_t>(flags), static_cast<std::int16_t>(status)};
}

RxResponse gso(std::uint16_t size, unsigned type = XEN_NETIF_GSO_TYPE_TCPV4, unsigned flags = 0,
               unsigned extra_type = XEN_NETIF_EXTRA_TYPE_GSO) {
  ExtraInfo info{};
  info.type = static_cast<std::uint8_t>(extra_type);
  info.flags = static_cast<std::uint8_t>(flags);
  info.u.gso.size = size;
  info.u.gso.type = static_cast<std::uint8_t>(type);
  return from_extra<RxResponse>(info);
}

// `count` slots of `size` bytes.
Responses fragments(std::uint16_t count, int size = 100) {
  Responses responses;
  for (std::uint16_t i = 0; i < count; ++i)
    responses.push_back(slot(i, size, i + 1 < count ? more : 0));
  return responses;
}

}  // namespace

TEST_CASE("the short way takes exactly the responses that are a good frame by themselves") {
  std::mt19937 random(9);
  const int statuses[] = {-1, 0, 13, 14, 60, 4096, 4097};
  for (int round = 0; round < 20000; ++round) {
    const auto response =
        slot(static_cast<std::uint16_t>(random() % 2), statuses[random() % std::size(statuses)],
             random() % 16, static_cast<std::uint16_t>(random() % 3 == 0 ? random() : 0));
    const RxChain chain = read_rx_chain(std::span(&response, 1), ids);
    CHECK(is_one_slot_frame(response, ids[0]) == (chain.verdict == RxVerdict::frame));
  }
}

TEST_CASE("a backend that lies gets its verdict") {
  using enum RxVerdict;
  struct Case {
    const char* what;
    Responses responses;
    RxVerdict verdict;
    std::uint16_t taken;
  };
  const Case cases[] = {
      {"one slot", {slot(0, 60)}, frame, 1},
      {"one slot and the next frame's", {slot(0, 60), slot(1, 60)}, frame, 1},
      {"an offset within the page", {slot(0, 60, 0, 4036)}, frame, 1},
      {"18 slots", fragments(18), frame, 18},
      {"an empty slot", {slot(0, 60, more), slot(1, 0)}, frame, 2},
      {"GSO", {slot(0, 60, extra), gso(1448)}, frame, 2},
      {"the id of another slot", {slot(1, 60)}, fatal, 1},
      {"a later id of another slot", {slot(0, 60, more), slot(0, 60)}, fatal, 2},
      {"a failed slot", {slot(0, NETIF_RSP_ERROR)}, error, 1},
      {"a dropped slot among others",
       {slot(0, 60, more), slot(1, -2, more), slot(2, 60)},
       error,
       3},
      {"the lowest status", {slot(0, -32768)}, error, 1},
      {"one byte past the page", {slot(0, 60, 0, 4037)}, error, 1},
      {"the largest offset and status", {slot(0, 32767, 0, 0xffff)}, error, 1},
      {"a later slot past the page", {slot(0, 60, more), slot(1, 4096, 0, 1)}, error, 2},
      {"no bytes", {slot(0, 0)}, error, 1},
      {"less than an Ethernet header", {slot(0, 13)}, error, 1},
      {"more bytes than a frame can have", fragments(18, 4096), error, 18},
      {"19 slots", fragments(19), fatal, 18},
      {"more_data without an end", fragments(256), fatal, 18},
      {"more to come", {slot(0, 60, more)}, incomplete, 1},
      {"an extra to come", {slot(0, 60, extra)}, incomplete, 1},
      {"data behind an extra to come", {slot(0, 60, more | extra), gso(1448)}, incomplete, 2},
      {"a failed slot and more to come", {slot(0, -1, more)}, incomplete, 1},
      {"extra type 0", {slot(0, 60, extra), gso(1448, 1, 0, 0)}, fatal, 2},
      {"a multicast extra", {slot(0, 60, extra), gso(1448, 1, 0, 2)}, fatal, 2},
      {"a hash that nobody asked for", {slot(0, 60, extra), gso(1448, 1, 0, 4)}, fatal, 2},
      {"an XDP extra that nobody asked for", {slot(0, 60, extra), gso(1448, 1, 0, 5)}, fatal, 2},
      {"extras without an end", {slot(0, 60, extra), gso(1448, 1, 1), gso(1448, 1, 1)}, fatal, 2},
      {"GSO of size 0", {slot(0, 60, extra), gso(0)}, error, 2},
      {"GSO of an unknown type", {slot(0, 60, extra), gso(1448, 3)}, error, 2},
  };
  for (const auto& [what, responses, verdict, taken] : cases) {
    const std::string name(what);  // clang captures no structured binding
    CAPTURE(name);
    const RxChain chain = read_rx_chain(responses, ids);
    CHECK(chain.verdict == verdict);
    CHECK(chain.slots == taken);
  }
}

TEST_CASE("a chain that was incomplete reads the same once it is whole") {
  const Responses whole{slot(0, 4096, more | extra), gso(1448), slot(2, 4096, more), slot(3, 100)};
  for (std::size_t seen = 1; seen < whole.size(); ++seen)
    CHECK(read_rx_chain(std::span(whole).first(seen), ids).verdict == RxVerdict::incomplete);
  const RxChain chain = read_rx_chain(whole, ids);
  CHECK(chain.verdict == RxVerdict::frame);
  CHECK(chain.size == 4096 + 4096 + 100);
}

TEST_CASE("parts lie where the backend says and name their slot") {
  const RxChain chain = read_rx_chain(
      Responses{slot(0, 100, more | extra, 8), gso(1448), slot(2, 0, more), slot(3, 200, 0, 16)},
      ids);
  REQUIRE(chain.verdict == RxVerdict::frame);
  REQUIRE(chain.part_count == 2);
  CHECK(chain.parts[0].slot == 0);
  CHECK(chain.parts[0].offset == 8);
  CHECK(chain.parts[0].size == 100);
  CHECK(chain.parts[1].slot == 3);
  CHECK(chain.parts[1].offset == 16);
  CHECK(chain.parts[1].size == 200);
}

TEST_CASE("no garbage from a backend makes a frame that leaves its buffers") {
  std::mt19937 random(7);
  int frames = 0;
  for (int round = 0; round < 300'000; ++round) {
    const auto count = static_cast<std::uint16_t>(1 + random() % 24);
    Responses responses(count);
    for (std::uint16_t i = 0; i < count; ++i) {
      responses[i] = std::bit_cast<RxResponse>((std::uint64_t{random()} << 32) | random());
      // Mostly plausible, or nearly every chain would end at its first slot.
      if (random() % 8) responses[i].id = i;
      if (random() % 8) responses[i].offset %= 2048;
      if (random() % 8) responses[i].status %= 2048;
      if (random() % 8) responses[i].flags &= more | NETRXF_csum_blank;
    }
    const RxChain chain = read_rx_chain(responses, ids);
    REQUIRE(chain.slots <= responses.size());
    if (chain.verdict != RxVerdict::frame) continue;
    ++frames;
    std::uint32_t size = 0;
    for (const RxPart& part : chain.view()) {
      REQUIRE(part.slot < chain.slots);
      REQUIRE(part.offset + part.size <= page_size);
      REQUIRE(part.size > 0);
      size += part.size;
    }
    REQUIRE(size == chain.size);
    REQUIRE(size <= max_rx_size);
  }
  CHECK(frames > 10'000);
}
