#include "backend/switch/mac_table.hpp"

#include <bit>

namespace ringback::backend {
namespace {

constexpr std::uint32_t fresh_for = 10;  // seconds
constexpr std::uint64_t mac_mask = (std::uint64_t{1} << 48) - 1;

// Another worker's clock may be a second ahead: that is new, not 136 years old.
constexpr std::uint32_t age_of(std::uint32_t seen, std::uint32_t now) {
  const auto age = static_cast<std::int32_t>(now - seen);
  return age < 0 ? 0 : static_cast<std::uint32_t>(age);
}

constexpr std::uint64_t kept = std::uint64_t{1} << 63;

constexpr std::uint64_t word_of(std::uint64_t mac, PortNumber port) {
  return (std::uint64_t{port} + 1) << 48 | mac;
}
constexpr std::uint64_t use_of(net::VlanId vlan, std::uint32_t seen) {
  return std::uint64_t{vlan} << 32 | seen;
}
constexpr std::uint32_t seen_of(std::uint64_t use) {
  return static_cast<std::uint32_t>(use);
}
constexpr bool is_for(net::VlanId vlan, std::uint64_t mac, std::uint64_t word, std::uint64_t use) {
  return word != 0 && (word & mac_mask) == mac && (use ^ use_of(vlan, 0)) >> 32 == 0;
}

}  // namespace

MacTable::MacTable(std::size_t capacity, std::uint64_t seed, std::uint32_t ageing)
    : buckets_(std::bit_ceil(capacity / ways)),
      seed_(seed),
      ageing_(ageing),
      memory_(buckets_ * sizeof(Bucket)),
      table_(reinterpret_cast<Bucket*>(memory_.span().data())) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
}

// Words are exchanged for what was read: what is kept for good meanwhile is not overwritten.
void MacTable::learn(net::VlanId vlan, std::uint64_t mac, PortNumber port, std::uint32_t now) {
  struct Seen {
    Entry* entry = nullptr;
    std::uint64_t word = 0;
    std::uint64_t use = 0;
    void replace(std::uint64_t new_use, std::uint64_t new_word) {
      if (use != new_use && !entry->use.compare_exchange_strong(use, new_use)) return;
      if (word != new_word) entry->word.compare_exchange_strong(word, new_word);
    }
  };
  Seen victim;
  std::uint32_t victim_age = 0;
  for (Entry& entry : bucket_of(vlan, mac).entries) {
    const std::uint64_t word = entry.word.load(std::memory_order_relaxed);
    const std::uint64_t use = entry.use.load(std::memory_order_relaxed);
    if (is_for(vlan, mac, word, use)) {
      if ((word & kept) != 0) return;
      // The common case writes nothing: the line stays shared between the workers.
      return Seen{&entry, word, use}.replace(use_of(vlan, now), word_of(mac, port));
    }
    const std::uint32_t age = word == 0 ? UINT32_MAX : age_of(seen_of(use), now);
    const bool in_use = word != 0 && ((word & kept) != 0 ||
                                      (age < fresh_for && word >> 48 != std::uint64_t{port} + 1));
    if (!in_use && (victim.entry == nullptr || age > victim_age)) {
      victim = {&entry, word, use};
      victim_age = age;
    }
  }
  if (victim.entry != nullptr) victim.replace(use_of(vlan, now), word_of(mac, port));
}

std::optional<PortNumber> MacTable::find(net::VlanId vlan, std::uint64_t mac,
                                         std::uint32_t now) const {
  for (const Entry& entry : bucket_of(vlan, mac).entries) {
    const std::uint64_t word = entry.word.load(std::memory_order_relaxed);
    if ((word & mac_mask) != mac) continue;
    const std::uint64_t use = entry.use.load(std::memory_order_relaxed);
    if (!is_for(vlan, mac, word, use)) continue;
    if ((word & kept) == 0 && age_of(seen_of(use), now) > ageing_.load(std::memory_order_relaxed))
      return std::nullopt;
    return static_cast<PortNumber>(((word & ~kept) >> 48) - 1);
  }
  return std::nullopt;
}

bool MacTable::keep(net::VlanId vlan, std::uint64_t mac, PortNumber port) {
  Entry* place = nullptr;
  auto& entries = bucket_of(vlan, mac).entries;
  const auto is_this = [&](const Entry& entry) {
    return is_for(vlan, mac, entry.word.load(std::memory_order_relaxed),
                  entry.use.load(std::memory_order_relaxed));
  };
  for (Entry& entry : entries) {
    if (is_this(entry)) {
      place = &entry;
      break;
    }
    if ((entry.word.load(std::memory_order_relaxed) & kept) == 0) place = &entry;
  }
  if (place == nullptr) return false;
  place->use.store(use_of(vlan, 0), std::memory_order_relaxed);
  place->word.store(kept | word_of(mac, port), std::memory_order_relaxed);
  // Where a worker has just learned it as well.
  for (Entry& entry : entries)
    if (&entry != place && is_this(entry)) entry.word.store(0, std::memory_order_relaxed);
  return true;
}

void MacTable::forget(PortNumber port) {
  for (std::size_t b = 0; b < buckets_; ++b) {
    for (Entry& entry : table_[b].entries) {
      std::uint64_t word = entry.word.load(std::memory_order_relaxed);
      if ((word & ~kept) >> 48 == std::uint64_t{port} + 1)
        entry.word.compare_exchange_strong(word, 0);
    }
  }
}

}  // namespace ringback::backend
