// read_tx_chain against a reading that was written on its own: slow, in whole lists, each rule by
// itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "ring/tx_chain.hpp"

using namespace ringback::ring;
using namespace ringback;

namespace {

using Slots = std::vector<TxRequest>;

struct Reading {
  std::vector<TxFault> fatal;
  std::vector<TxFault> errors;
  bool multicast = false;
  std::size_t slots = 0;
  std::vector<ExtraInfo> extras;
  std::vector<Piece> pieces;
  net::Offload offload;

  TxVerdict verdict() const {
    if (!fatal.empty()) return TxVerdict::fatal;
    if (multicast) return TxVerdict::multicast;
    return errors.empty() ? TxVerdict::frame : TxVerdict::error;
  }
};

long count_type(const std::vector<ExtraInfo>& extras, int low, int high) {
  return std::ranges::count_if(
      extras, [=](auto& extra) { return extra.type >= low && extra.type <= high; });
}

Reading slow_reading(const Slots& slots) {
  Reading reading;
  const TxRequest first = slots[0];

  // Where the chain's parts are.
  std::size_t next = 1;
  if (first.flags & 8) {
    bool last = false;
    for (; !last && next < slots.size(); ++next) {
      reading.extras.push_back(as_extra(slots[next]));
      last = (reading.extras.back().flags & 1) == 0;
    }
    if (!last) reading.fatal.push_back(TxFault::unfinished);
  }
  reading.multicast = count_type(reading.extras, 2, 3) > 0;
  Slots data{first};
  if (!reading.multicast) {
    for (; (data.back().flags & 4) && next < slots.size(); ++next) data.push_back(slots[next]);
    if (data.back().flags & 4) reading.fatal.push_back(TxFault::unfinished);
  }
  reading.slots = next;

  // The rules, each by itself.
  const auto require = [](bool good, std::vector<TxFault>& list, TxFault fault) {
    if (!good) list.push_back(fault);
  };
  const auto gso_count = count_type(reading.extras, 1, 1);
  const auto mcast_count = count_type(reading.extras, 2, 3);
  require(gso_count <= 1 && mcast_count <= 1, reading.fatal, TxFault::unknown_extra);
  require(gso_count + mcast_count == std::ssize(reading.extras), reading.fatal,
          TxFault::unknown_extra);
  for (const ExtraInfo& extra : reading.extras) {
    if (extra.type != 1) continue;
    require(extra.u.gso.size > 0 && (extra.u.gso.type == 1 || extra.u.gso.type == 2), reading.fatal,
            TxFault::bad_gso);
  }
  if (reading.multicast) return reading;

  const long rest = std::accumulate(data.begin() + 1, data.end(), 0L,
                                    [](long sum, auto& slot) { return sum + slot.size; });
  const long first_size = first.size - rest;
  require(data.size() < 22, reading.fatal, TxFault::too_many_slots);
  require(data.size() <= 18, reading.errors, TxFault::too_many_slots);
  require(std::all_of(data.begin() + 1, data.end(),
                      [](auto& slot) { return slot.offset + slot.size <= 4096; }),
          reading.fatal, TxFault::crosses_page);
  require(first_size < 0 || first.offset + first_size <= 4096, reading.fatal,
          TxFault::crosses_page);
  require(first_size >= 0, reading.errors, TxFault::size_mismatch);
  require(first_size >= 14 || first_size < 0, reading.errors, TxFault::too_short);
  if (reading.verdict() != TxVerdict::frame) return reading;

  data[0].size = static_cast<std::uint16_t>(first_size);
  for (const TxRequest& slot : data)
    if (slot.size != 0) reading.pieces.push_back({slot.gref, slot.offset, slot.size});
  reading.offload.checksum = first.flags & 1   ? net::Checksum::partial
                             : first.flags & 2 ? net::Checksum::verified
                                               : net::Checksum::unknown;
  if (gso_count == 1) {
    const auto& gso = reading.extras[0].u.gso;
    reading.offload = {net::Checksum::partial, gso.type == 1 ? net::Gso::tcpv4 : net::Gso::tcpv6,
                       gso.size};
  }
  return reading;
}

// Chains that are mostly good, then damaged a little or not at all.
class Guest {
 public:
  explicit Guest(std::uint32_t seed) : random_(seed) {}

  Slots chain() {
    Slots slots = good_chain();
    const unsigned damages = below(3);
    for (unsigned i = 0; i < damages; ++i) damage(slots);
    if (below(4) == 0) slots.push_back(garbage());  // the next frame's
    return slots;
  }

 private:
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

  TxRequest garbage() { return std::bit_cast<TxRequest>(std::array{word(), word(), word()}); }
  std::uint32_t word() { return static_cast<std::uint32_t>(random_()); }

  TxRequest extra(unsigned type, bool more) {
    ExtraInfo extra{};
    extra.type = static_cast<std::uint8_t>(type);
    extra.flags = more;
    for (auto& byte : extra.u.mcast.addr) byte = static_cast<std::uint8_t>(word());
    if (type == 1) extra.u.gso.type = static_cast<std::uint8_t>(1 + below(2));
    if (type == 1) extra.u.gso.size = static_cast<std::uint16_t>(1 + below(9000));
    return from_extra<TxRequest>(extra);
  }

  Slots good_chain() {
    const unsigned count = below(2) ? 1 + below(3) : 1 + below(23);
    const unsigned largest = std::min(4096u, 65535 / count);
    Slots slots;
    unsigned total = 0;
    for (unsigned i = 0; i < count; ++i) {
      const unsigned size = i == 0 ? 14 + below(largest - 13) : below(4) ? below(largest + 1) : 0;
      total += size;
      slots.push_back({word(), static_cast<std::uint16_t>(below(4097 - size)),
                       static_cast<std::uint16_t>(i + 1 < count ? 4 : 0),
                       static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(size)});
    }
    slots[0].size = static_cast<std::uint16_t>(total);
    slots[0].flags |= static_cast<std::uint16_t>(below(4));
    if (below(3) == 0) {
      slots[0].flags |= 8;
      slots.insert(slots.begin() + 1, extra(below(3) ? 1 : 2 + below(2), false));
      if (below(8) == 0) slots.insert(slots.begin() + 1, extra(1 + below(4), true));
    }
    return slots;
  }

  void damage(Slots& slots) {
    TxRequest& slot = slots[below(static_cast<unsigned>(slots.size()))];
    switch (below(7)) {
      case 0: {
        auto words = std::bit_cast<std::array<std::uint32_t, 3>>(slot);
        words[below(3)] ^= 1u << below(32);
        slot = std::bit_cast<TxRequest>(words);
        break;
      }
      case 1:
        slot = garbage();
        break;
      case 2:
        slots.resize(1 + below(static_cast<unsigned>(slots.size())));
        break;
      case 3:
        slot.size = static_cast<std::uint16_t>(below(100));
        break;
      case 4:
        slot.offset = static_cast<std::uint16_t>(below(5000));
        break;
      case 5:
        slot.flags ^= static_cast<std::uint16_t>(1u << below(4));
        break;
      case 6:
        slots[0].size = static_cast<std::uint16_t>(word());
        break;
    }
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("any chain reads as the slow reference reads it") {
  Guest guest(20240607);
  std::map<TxVerdict, int> verdicts;
  std::map<TxFault, int> faults;
  for (int round = 0; round < 400'000; ++round) {
    CAPTURE(round);
    const Slots slots = guest.chain();
    const Reading expected = slow_reading(slots);
    const TxChain chain = read_tx_chain(slots);
    ++verdicts[chain.verdict];
    ++faults[chain.fault];

    REQUIRE(chain.verdict == expected.verdict());
    if (chain.verdict == TxVerdict::fatal) {
      REQUIRE(std::ranges::find(expected.fatal, chain.fault) != expected.fatal.end());
      continue;
    }
    REQUIRE(chain.slots == expected.slots);
    REQUIRE(chain.extras == expected.extras.size());
    if (chain.verdict == TxVerdict::error) {
      REQUIRE(std::ranges::find(expected.errors, chain.fault) != expected.errors.end());
    } else {
      REQUIRE(chain.fault == TxFault::none);
    }
    if (chain.verdict == TxVerdict::multicast) {
      const auto& extra =
          *std::ranges::find_if(expected.extras, [](auto& e) { return e.type != 1; });
      REQUIRE(chain.mcast.add == (extra.type == 2));
      REQUIRE(std::ranges::equal(chain.mcast.mac, extra.u.mcast.addr));
    }
    if (chain.verdict == TxVerdict::frame) {
      REQUIRE(chain.size == slots[0].size);
      REQUIRE(chain.offload == expected.offload);
    }
    REQUIRE(std::ranges::equal(chain.view(), expected.pieces, [](auto& a, auto& b) {
      return a.gref == b.gref && a.offset == b.offset && a.size == b.size;
    }));
  }
  // The guest said enough of everything.
  REQUIRE(verdicts.size() == 4);
  REQUIRE(faults.size() == 8);
  for (const auto& [verdict, count] : verdicts) CHECK(count > 1000);
  for (const auto& [fault, count] : faults) CHECK(count > 1000);
}
