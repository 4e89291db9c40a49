#include "ring/tx_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

using namespace ringback::ring;
using namespace ringback;

namespace {

constexpr net::Offload offloads[] = {
    {},
    {net::Checksum::verified, net::Gso::none, 0},
    {net::Checksum::partial, net::Gso::none, 0},
    {net::Checksum::partial, net::Gso::tcpv4, 1448},
    {net::Checksum::partial, net::Gso::tcpv6, 0xffff},
};

}  // namespace

TEST_CASE("what a frontend plans is what a backend reads") {
  std::mt19937 random(1);
  const auto between = [&](unsigned low, unsigned high) {
    return static_cast<std::uint16_t>(std::uniform_int_distribution<unsigned>(low, high)(random));
  };
  std::array<std::uint16_t, max_tx_slots> ids;
  std::iota(ids.begin(), ids.end(), std::uint16_t{500});

  for (int round = 0; round < 20'000; ++round) {
    std::array<Piece, max_tx_slots> pieces;
    const auto count = between(1, max_tx_slots);
    const unsigned largest = std::min(4096u, 0xffffu / count);
    std::uint32_t total = 0;
    for (std::uint16_t i = 0; i < count; ++i) {
      const auto size = between(i == 0 ? 14 : 1, largest);
      pieces[i] = {between(0, 0xffff), between(0, 4096u - size), size};
      total += size;
    }
    const auto& offload = offloads[between(0, std::size(offloads) - 1)];
    const bool gso = offload.gso != net::Gso::none;

    const TxPlan plan = plan_tx(std::span(pieces).first(count), offload, ids);
    REQUIRE(plan.count == count + gso);
    const TxChain chain = read_tx_chain(plan.view());
    REQUIRE(chain.verdict == TxVerdict::frame);
    CHECK(chain.slots == plan.count);
    CHECK(chain.extras == gso);
    CHECK(chain.size == total);
    CHECK(chain.offload == offload);
    REQUIRE(chain.piece_count == count);
    for (std::uint16_t i = 0; i < count; ++i) {
      CHECK(chain.pieces[i].gref == pieces[i].gref);
      CHECK(chain.pieces[i].offset == pieces[i].offset);
      CHECK(chain.pieces[i].size == pieces[i].size);
      CHECK(plan.requests[i == 0 ? 0 : std::size_t{i} + gso].id == ids[i]);
    }
  }
}

TEST_CASE("a partial checksum goes out with both flags") {
  const Piece piece{1, 0, 60};
  const std::uint16_t id = 0;
  const auto flags = [&](net::Checksum checksum) {
    return plan_tx({&piece, 1}, {checksum, net::Gso::none, 0}, {&id, 1}).requests[0].flags;
  };
  CHECK(flags(net::Checksum::unknown) == 0);
  CHECK(flags(net::Checksum::verified) == NETTXF_data_validated);
  CHECK(flags(net::Checksum::partial) == (NETTXF_csum_blank | NETTXF_data_validated));
}
