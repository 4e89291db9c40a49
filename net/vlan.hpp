// An 802.1Q tag at the front of a frame. Pure; reads and writes only within the bytes given, and
// where it says so in those before them.
//
//   | destination 6 | source 6 | 0x8100 2 | priority 3 bits, drop eligible 1, VLAN 12 | EtherType
//   ..
//                              |<---------------- the tag, 4 -------------->|
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace ringback::net {

using VlanId = std::uint16_t;                    // 0: in a tag, only its priority counts
inline constexpr std::size_t vlan_count = 4096;  // 1 to 4094 are networks
inline constexpr std::uint32_t vlan_tag_size = 4;
inline constexpr std::size_t macs_size = 12;

// The VLAN of the frame's outermost tag; nothing if it has none.
inline std::optional<VlanId> tagged_vlan(std::span<const std::byte> head) {
  if (head.size() < macs_size + vlan_tag_size || head[12] != std::byte{0x81} ||
      head[13] != std::byte{0})
    return std::nullopt;
  return static_cast<VlanId>((std::to_integer<unsigned>(head[14]) & 0x0f) << 8 |
                             std::to_integer<unsigned>(head[15]));
}

// A tag before the rest of the frame; writes to the vlan_tag_size bytes before the head, which the
// result starts with.
inline std::span<std::byte> push_vlan_tag(std::span<std::byte> head, VlanId vlan) {
  std::byte* const start = head.data() - vlan_tag_size;
  std::memmove(start, head.data(), macs_size);
  start[12] = std::byte{0x81};
  start[13] = std::byte{0};
  start[14] = static_cast<std::byte>(vlan >> 8 & 0x0f);
  start[15] = static_cast<std::byte>(vlan & 0xff);
  return {start, head.size() + vlan_tag_size};
}

// The frame without its tag, which is there; the result ends where the head does.
inline std::span<std::byte> pop_vlan_tag(std::span<std::byte> head) {
  std::memmove(head.data() + vlan_tag_size, head.data(), macs_size);
  return head.subspan(vlan_tag_size);
}

// The tag of this frame, which has one, names another VLAN; its priority stays.
inline void set_tagged_vlan(std::span<std::byte> head, VlanId vlan) {
  head[14] = (head[14] & std::byte{0xf0}) | static_cast<std::byte>(vlan >> 8 & 0x0f);
  head[15] = static_cast<std::byte>(vlan & 0xff);
}

}  // namespace ringback::net
