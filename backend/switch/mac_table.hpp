// Which port a MAC address was last seen behind, in each VLAN. Written and read by all workers
// without a lock: an entry is two words, and who reads a new one and an old one finds an address in
// a wrong VLAN at most, which the port's membership makes harmless.
//
//   bit 63      62        48 47                 0
//      | kept 1 | port + 1  |  MAC              |   0: free; kept: not learned, and there for good
//   bit               43 32 31                  0
//                    | VLAN |  seen             |   in seconds
//
// Bounded: an address lives in one bucket of eight, chosen by a hash with a secret seed; a new one
// takes a free place there, or the one longest unseen, but none that another port has used in the
// last seconds. So a flood of addresses by one port costs only addresses that are silent, and what
// is not learned is flooded, not lost.
#pragma once

#include <endian.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "hypervisor/mapped_memory.hpp"
#include "net/vlan.hpp"

namespace ringback::backend {

using PortNumber = std::uint16_t;  // 0..0x7ffe

class MacTable {
 public:
  // capacity: a power of two, at least 8; memory is taken as far as it is used. seed: a secret, so
  // that nobody can choose addresses of one bucket. ageing: see set_ageing.
  explicit MacTable(std::size_t capacity, std::uint64_t seed, std::uint32_t ageing = 300);
  // How long an address is believed that is not seen again, in the caller's seconds.
  void set_ageing(std::uint32_t seconds) { ageing_.store(seconds, std::memory_order_relaxed); }

  // mac: the six bytes as a number, first byte highest.
  void learn(net::VlanId vlan, std::uint64_t mac, PortNumber port, std::uint32_t now);
  std::optional<PortNumber> find(net::VlanId vlan, std::uint64_t mac, std::uint32_t now) const;
  // That it is asked for in a moment: what is known of it begins to come from memory. (Inline: of
  // what only fetches the compiler thinks that it does nothing, and leaves out the call.)
  [[gnu::always_inline]] void fetch(net::VlanId vlan, std::uint64_t mac) const {
    const Bucket& bucket = bucket_of(vlan, mac);
    __builtin_prefetch(&bucket.entries[0]);
    __builtin_prefetch(&bucket.entries[ways / 2]);
  }
  // Behind this port for good, wherever else it is seen; false: its bucket is full of such. The
  // control thread.
  bool keep(net::VlanId vlan, std::uint64_t mac, PortNumber port);
  // A port has gone, or what it keeps has changed: its addresses go with it.
  void forget(PortNumber port);

 private:
  struct Entry {
    std::atomic<std::uint64_t> word = 0;
    std::atomic<std::uint64_t> use = 0;
  };
  static constexpr std::size_t ways = 8;
  struct alignas(64) Bucket {
    std::array<Entry, ways> entries;
  };
  Bucket& bucket_of(net::VlanId vlan, std::uint64_t mac) const {
    // MurmurHash3's finaliser: every bit of the seed and of the address counts in every bit.
    std::uint64_t hash = (mac | std::uint64_t{vlan} << 48) ^ seed_;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return table_[(hash ^ hash >> 33) & (buckets_ - 1)];
  }

  std::size_t buckets_;
  std::uint64_t seed_;
  std::atomic<std::uint32_t> ageing_;
  hypervisor::MappedMemory memory_;
  Bucket* const table_;
};

// The number of a MAC address in a frame.
inline std::uint64_t mac_at(const std::byte* bytes) {
  std::uint32_t high;
  std::uint16_t low;
  std::memcpy(&high, bytes, sizeof high);
  std::memcpy(&low, bytes + sizeof high, sizeof low);
  return std::uint64_t{be32toh(high)} << 16 | be16toh(low);
}
inline constexpr std::uint64_t broadcast_mac = 0xffffffffffff;
constexpr bool is_multicast(std::uint64_t mac) {
  return (mac >> 40 & 1) != 0;
}  // broadcast too

}  // namespace ringback::backend
