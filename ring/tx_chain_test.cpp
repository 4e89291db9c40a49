#include "ring/tx_chain.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace ringback::ring;
using namespace ringback;

namespace {

using Slots = std::vector<TxRequest>;

constexpr std::uint16_t more = NETTXF_more_data;
constexpr std::uint16_t extra = NETTXF_extra_info;

TxRequest slot(std::uint16_t size, unsigned flags = 0, std::uint16_t offset = 0,
               std::uint32_t gref = 8) {
  return {gref, offset, static_cast<std::uint16_t>(flags), 0, size};
}

TxRequest extra_slot(unsigned type, unsigned flags = 0) {
  ExtraInfo info{};
  info.type = static_cast<std::uint8_t>(type);
  info.flags = static_cast<std::uint8_t>(flags);
  return from_extra<TxRequest>(info);
}

TxRequest gso(std::uint16_t size, unsigned type = XEN_NETIF_GSO_TYPE_TCPV4, unsigned flags = 0) {
  ExtraInfo info{};
  info.type = XEN_NETIF_EXTRA_TYPE_GSO;
  info.flags = static_cast<std::uint8_t>(flags);
  info.u.gso.size = size;
  info.u.gso.type = static_cast<std::uint8_t>(type);
  return from_extra<TxRequest>(info);
}

TxRequest mcast(unsigned type, unsigned flags = 0) {
  ExtraInfo info{};
  info.type = static_cast<std::uint8_t>(type);
  info.flags = static_cast<std::uint8_t>(flags);
  std::ranges::copy(std::array{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}, info.u.mcast.addr);
  return from_extra<TxRequest>(info);
}

// A frame of `count` slots of 100 bytes.
Slots fragments(std::uint16_t count) {
  Slots slots(count, slot(100, more));
  slots[0].size = static_cast<std::uint16_t>(100 * count);
  slots.back().flags = 0;
  return slots;
}

Slots gso_fragments(std::uint16_t count) {
  Slots slots = fragments(count);
  slots[0].flags |= extra;
  slots.insert(slots.begin() + 1, gso(1448));
  return slots;
}

Slots with(Slots slots, std::size_t index, TxRequest changed) {
  slots[index] = changed;
  return slots;
}

}  // namespace

TEST_CASE("each chain gets its verdict") {
  using enum TxVerdict;
  using enum TxFault;
  const unsigned add = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
  const unsigned del = XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
  const unsigned more_extras = XEN_NETIF_EXTRA_FLAG_MORE;
  struct Case {
    const char* what;
    Slots slots;
    TxVerdict verdict;
    TxFault fault;
    std::uint16_t taken;
  };
  const Case cases[] = {
      {"one slot", {slot(60)}, frame, none, 1},
      {"one slot and the next frame's", {slot(60), slot(70)}, frame, none, 1},
      {"an Ethernet header and no more", {slot(14)}, frame, none, 1},
      {"one byte less", {slot(13)}, error, too_short, 1},
      {"no bytes", {slot(0)}, error, too_short, 1},
      {"a short first fragment", {slot(113, more), slot(100)}, error, too_short, 2},
      {"a first fragment of no bytes", {slot(100, more), slot(100)}, error, too_short, 2},
      {"a whole page", {slot(4096)}, frame, none, 1},
      {"a page's last bytes", {slot(60, 0, 4036)}, frame, none, 1},
      {"one byte past the page", {slot(60, 0, 4037)}, fatal, crosses_page, 1},
      {"one byte more than a page", {slot(4097)}, fatal, crosses_page, 1},
      {"the largest offset and size", {slot(0xffff, 0, 0xffff)}, fatal, crosses_page, 1},
      {"a short frame past the page", {slot(5, 0, 4095)}, fatal, crosses_page, 1},
      {"a later fragment past the page",
       {slot(160, more), slot(60, 0, 4037)},
       fatal,
       crosses_page,
       2},
      {"an empty fragment past the page",
       {slot(60, more), slot(0, 0, 4097)},
       fatal,
       crosses_page,
       2},
      {"2 slots", fragments(2), frame, none, 2},
      {"18 slots", fragments(18), frame, none, 18},
      {"19 slots", fragments(19), error, too_many_slots, 19},
      {"20 slots", fragments(20), error, too_many_slots, 20},
      {"21 slots", fragments(21), error, too_many_slots, 21},
      {"22 slots", fragments(22), fatal, too_many_slots, 21},
      {"256 slots", fragments(256), fatal, too_many_slots, 21},
      {"19 slots and one past the page", with(fragments(19), 18, slot(60, 0, 4090)), fatal,
       crosses_page, 19},
      {"sizes above the total",
       {slot(100, more), slot(60, more), slot(41)},
       error,
       size_mismatch,
       3},
      {"a 64 KiB frame that wrapped",
       {slot(4, more), slot(4096, more), slot(4096)},
       error,
       size_mismatch,
       3},
      {"more_data past the producer", {slot(60, more)}, fatal, unfinished, 1},
      {"a chain without an end", Slots(5, slot(60, more)), fatal, unfinished, 5},
      {"a missing extra", {slot(60, extra)}, fatal, unfinished, 1},
      {"a missing second extra",
       {slot(60, extra), gso(1000, 1, more_extras)},
       fatal,
       unfinished,
       2},
      {"extra type 0", {slot(60, extra), extra_slot(0)}, fatal, unknown_extra, 2},
      {"a hash extra",
       {slot(60, extra), extra_slot(XEN_NETIF_EXTRA_TYPE_HASH)},
       fatal,
       unknown_extra,
       2},
      {"extra type 5", {slot(60, extra), extra_slot(5)}, fatal, unknown_extra, 2},
      {"extra type 255", {slot(60, extra), extra_slot(255)}, fatal, unknown_extra, 2},
      {"extras without an end", with(Slots(256, gso(1000, 1, more_extras)), 0, slot(60, extra)),
       fatal, unknown_extra, 3},
      {"multicasts without an end", with(Slots(256, mcast(add, more_extras)), 0, slot(60, extra)),
       fatal, unknown_extra, 3},
      {"GSO over IPv4", {slot(60, extra), gso(1448)}, frame, none, 2},
      {"GSO over IPv6", {slot(60, extra), gso(1448, 2)}, frame, none, 2},
      {"GSO of size 0", {slot(60, extra), gso(0)}, fatal, bad_gso, 2},
      {"GSO of no type", {slot(60, extra), gso(1448, 0)}, fatal, bad_gso, 2},
      {"GSO of an unknown type", {slot(60, extra), gso(1448, 3)}, fatal, bad_gso, 2},
      {"18 slots and an extra", gso_fragments(18), frame, none, 19},
      {"a multicast address to add", {slot(0, extra), mcast(add)}, TxVerdict::multicast, none, 2},
      {"one to remove and the next frame",
       {slot(0, extra), mcast(del), slot(60)},
       TxVerdict::multicast,
       none,
       2},
      {"two of them",
       {slot(0, extra), mcast(add, more_extras), mcast(del)},
       fatal,
       unknown_extra,
       3},
      {"multicast on a request past its page",
       {slot(60, extra, 4090), mcast(add)},
       TxVerdict::multicast,
       none,
       2},
      {"extra_info on a later fragment is no extra",
       {slot(160, more), slot(60, extra), slot(60)},
       frame,
       none,
       2},
  };
  for (const auto& [what, slots, verdict, fault, taken] : cases) {
    const std::string name(what);  // clang captures no structured binding
    CAPTURE(name);
    const TxChain chain = read_tx_chain(slots);
    CHECK(chain.verdict == verdict);
    CHECK(chain.fault == fault);
    CHECK(chain.slots == taken);
    CHECK(chain.view().empty() == (verdict != frame));
  }
}

TEST_CASE("the first slot's size is the whole frame's") {
  const Slots slots{slot(1000, more, 16, 1), slot(300, more, 0, 2), slot(200, 0, 7, 3)};
  const TxChain chain = read_tx_chain(slots);
  REQUIRE(chain.verdict == TxVerdict::frame);
  CHECK(chain.size == 1000);
  REQUIRE(chain.piece_count == 3);
  CHECK(chain.pieces[0].gref == 1);
  CHECK(chain.pieces[0].offset == 16);
  CHECK(chain.pieces[0].size == 500);
  CHECK(chain.pieces[1].gref == 2);
  CHECK(chain.pieces[1].size == 300);
  CHECK(chain.pieces[2].offset == 7);
  CHECK(chain.pieces[2].size == 200);
}

TEST_CASE("an empty fragment takes a slot and its grant is never touched") {
  const Slots slots{slot(100, more, 0, 1), slot(0, more, 4096, 0xbad), slot(40, more, 0, 2),
                    slot(0, 0, 0, 0xbad)};
  const TxChain chain = read_tx_chain(slots);
  REQUIRE(chain.verdict == TxVerdict::frame);
  CHECK(chain.slots == 4);
  REQUIRE(chain.piece_count == 2);
  CHECK(chain.pieces[0].size == 60);
  CHECK(chain.pieces[1].gref == 2);
}

TEST_CASE("empty fragments count as slots too") {
  Slots slots(19, slot(0, more));
  slots[0].size = 60;
  slots.back().flags = 0;
  CHECK(read_tx_chain(slots).fault == TxFault::too_many_slots);
}

TEST_CASE("the longest frame of a guest is read") {
  Slots slots(18, slot(3640, more));
  slots[0].size = 0xffff;
  slots.back().flags = 0;
  const TxChain chain = read_tx_chain(slots);
  REQUIRE(chain.verdict == TxVerdict::frame);
  CHECK(chain.size == 0xffff);
  CHECK(chain.pieces[0].size == 0xffff - 17 * 3640);
}

TEST_CASE("the flags say what is known of the checksum") {
  const auto checksum = [](unsigned flags) {
    return read_tx_chain(Slots{slot(60, flags)}).offload.checksum;
  };
  CHECK(checksum(0) == net::Checksum::unknown);
  CHECK(checksum(NETTXF_csum_blank) == net::Checksum::partial);
  CHECK(checksum(NETTXF_data_validated) == net::Checksum::verified);
  CHECK(checksum(NETTXF_csum_blank | NETTXF_data_validated) == net::Checksum::partial);
}

TEST_CASE("GSO means a partial checksum whatever the flags say") {
  for (const unsigned flags : {0u, NETTXF_csum_blank, NETTXF_data_validated}) {
    const TxChain chain = read_tx_chain(
        Slots{slot(9000, flags | extra | more), gso(1448, 2), slot(4096, more), slot(4096)});
    REQUIRE(chain.verdict == TxVerdict::frame);
    CHECK(chain.extras == 1);
    CHECK(chain.slots == 4);
    CHECK(chain.piece_count == 3);
    CHECK(chain.offload == net::Offload{net::Checksum::partial, net::Gso::tcpv6, 1448});
  }
}

TEST_CASE("a multicast request names its address") {
  const TxChain add = read_tx_chain(Slots{slot(0, extra), mcast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD)});
  CHECK(add.mcast.add);
  CHECK(add.mcast.mac == std::array<std::uint8_t, 6>{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03});
  CHECK(add.extras == 1);
  CHECK_FALSE(
      read_tx_chain(Slots{slot(0, extra), mcast(XEN_NETIF_EXTRA_TYPE_MCAST_DEL)}).mcast.add);
}

TEST_CASE("every fault has words of its own") {
  std::vector<std::string> words;
  for (int fault = 0; fault <= static_cast<int>(TxFault::bad_gso); ++fault)
    words.emplace_back(describe(static_cast<TxFault>(fault)));
  std::ranges::sort(words);
  CHECK(std::ranges::adjacent_find(words) == words.end());
}

TEST_CASE("a chain that is read where another was has nothing of that") {
  TxChain chain;
  const Slots former = gso_fragments(18);
  read_tx_chain(former, chain);
  REQUIRE(chain.piece_count == 18);
  read_tx_chain(Slots{slot(0, extra), mcast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD)}, chain);
  CHECK(chain.verdict == TxVerdict::multicast);
  CHECK(chain.view().empty());
  CHECK(chain.offload == net::Offload{});
  read_tx_chain(Slots{slot(5)}, chain);
  CHECK(chain.fault == TxFault::too_short);
  CHECK(chain.view().empty());
  read_tx_chain(Slots{slot(60)}, chain);
  CHECK(chain.verdict == TxVerdict::frame);
  CHECK(chain.fault == TxFault::none);
  CHECK(chain.slots == 1);
  CHECK(chain.extras == 0);
  CHECK(chain.size == 60);
  CHECK(chain.piece_count == 1);
}
