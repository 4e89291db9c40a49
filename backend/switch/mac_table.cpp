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

constexpr std::uint64_t word_of(std::uint64_t mac, PortNumber port) {
  return (std::uint64_t{port} + 1) << 48 | mac;
}

}  // namespace

MacTable::MacTable(std::size_t capacity, std::uint64_t seed, std::uint32_t ageing)
    : buckets_(std::bit_ceil(capacity / ways)),
      seed_(seed),
      ageing_(ageing),
      table_(std::make_unique<Bucket[]>(buckets_)) {}

MacTable::Bucket& MacTable::bucket_of(std::uint64_t mac) const {
  // MurmurHash3's finaliser: every bit of the seed and of the address counts in every bit.
  std::uint64_t hash = mac ^ seed_;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
  return table_[(hash ^ hash >> 33) & (buckets_ - 1)];
}

void MacTable::learn(std::uint64_t mac, PortNumber port, std::uint32_t now) {
  auto& entries = bucket_of(mac).entries;
  Entry* victim = nullptr;
  std::uint32_t victim_age = 0;
  for (Entry& entry : entries) {
    const std::uint64_t word = entry.word.load(std::memory_order_relaxed);
    const std::uint32_t seen = entry.seen.load(std::memory_order_relaxed);
    if ((word & mac_mask) == mac && word != 0) {
      // The common case writes nothing: the line stays shared between the workers.
      if (word != word_of(mac, port))
        entry.word.store(word_of(mac, port), std::memory_order_relaxed);
      if (seen != now) entry.seen.store(now, std::memory_order_relaxed);
      return;
    }
    const std::uint32_t age = word == 0 ? UINT32_MAX : age_of(seen, now);
    const bool in_use = age < fresh_for && word >> 48 != std::uint64_t{port} + 1;
    if (!in_use && (victim == nullptr || age > victim_age)) {
      victim = &entry;
      victim_age = age;
    }
  }
  if (victim == nullptr) return;
  victim->seen.store(now, std::memory_order_relaxed);
  victim->word.store(word_of(mac, port), std::memory_order_relaxed);
}

std::optional<PortNumber> MacTable::find(std::uint64_t mac, std::uint32_t now) const {
  for (const Entry& entry : bucket_of(mac).entries) {
    const std::uint64_t word = entry.word.load(std::memory_order_relaxed);
    if (word == 0 || (word & mac_mask) != mac) continue;
    if (age_of(entry.seen.load(std::memory_order_relaxed), now) > ageing_) return std::nullopt;
    return static_cast<PortNumber>((word >> 48) - 1);
  }
  return std::nullopt;
}

void MacTable::forget(PortNumber port) {
  for (std::size_t b = 0; b < buckets_; ++b) {
    for (Entry& entry : table_[b].entries) {
      std::uint64_t word = entry.word.load(std::memory_order_relaxed);
      if (word >> 48 == std::uint64_t{port} + 1) entry.word.compare_exchange_strong(word, 0);
    }
  }
}

}  // namespace ringback::backend
