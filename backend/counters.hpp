// What happened to every frame of a queue: in = delivered + the sum of the drops. Written by
// whoever serves the queue, readable from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringback::backend {

enum class Drop : std::uint8_t {
  malformed,     // a chain that the protocol answers with an error
  bad_grant,     // a grant that the sender named could not be read
  bad_receiver,  // a grant that the receiver posted could not be written
  bad_headers,   // headers that don't allow what the offload asks for
  full,          // the receiver's ring and backlog, or the tap's queue, had no room
  too_big,       // does not fit what the receiver can take (no scatter-gather)
  no_receiver,   // nobody is connected there
  port_down,     // the tap is not up
  vlan,          // the sender, or its receiver, is not in the frame's VLAN
  isolated,      // both are isolated
  storm,         // more to be flooded than its sender may have
  mirror,        // sent by a port that only gets copies
  count
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Drop::count)> drop_names = {
    "malformed",   "bad-grant", "bad-receiver", "bad-headers", "full",  "too-big",
    "no-receiver", "port-down", "vlan",         "isolated",    "storm", "mirror"};

// A counter with one writer at a time: no locked instruction.
class Counter {
 public:
  void add(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// One direction of one queue; on lines of its own, because each direction has its own writer.
struct alignas(128) Counters {
  Counter frames;
  Counter bytes;
  std::array<Counter, static_cast<std::size_t>(Drop::count)> drops;

  void delivered(std::uint64_t size, std::uint64_t count = 1) {
    frames.add(count);
    bytes.add(size);
  }
  void drop(Drop reason) { drops[static_cast<std::size_t>(reason)].add(1); }
};

}  // namespace ringback::backend
