// The Toeplitz hash of receive-side scaling (netif.h, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ):
// which queue a flow belongs to. Each bit of the input that is set adds (XOR) the 32 bits of the
// key that begin at its place:
//
//   input  | source address | destination address | source port | destination port |
//   key    | 40 bytes ...                                                          | + 4 |
//
// Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringback::net {

class Toeplitz {
 public:
  static constexpr std::size_t max_input = 36;  // two IPv6 addresses and two ports
  using Key = std::array<std::uint8_t, max_input + 4>;

  // Who knows the key can choose flows of one queue.
  explicit Toeplitz(const Key& key);

  // Of a piece of an input that begins `at` bytes from the input's front, and ends within
  // max_input: an input's hash is the XOR of its pieces'.
  std::uint32_t operator()(std::span<const std::byte> piece, std::size_t at = 0) const;

  // Of a frame's flow: addresses, and ports where there are such in every packet of it. 0 for what
  // is no IP. head: the frame's first bytes.
  std::uint32_t of_flow(std::span<const std::byte> head, std::size_t frame_size) const;

 private:
  // What four bits add, by place and value: small enough to stay in the first-level cache.
  std::array<std::array<std::uint32_t, 16>, max_input * 2> table_{};
};

}  // namespace ringback::net
