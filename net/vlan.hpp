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

using VlanTag = std::uint16_t;  // priority, drop eligible and VLAN
constexpr VlanId vlan_of(VlanTag tag) {
  return tag & 0x0fff;
}
constexpr VlanTag with_vlan(VlanTag tag, VlanId vlan) {
  return static_cast<VlanTag>((tag & 0xf000) | (vlan & 0x0fff));
}

// Whether the EtherType says that a tag follows, and whether it is one of 802.1Q's.
inline bool is_tagged(std::span<const std::byte> head) {
  return head.size() > 13 && head[12] == std::byte{0x81} && head[13] == std::byte{0};
}
inline bool is_service_tagged(std::span<const std::byte> head) {  // 802.1ad
  return head.size() > 13 && head[12] == std::byte{0x88} && head[13] == std::byte{0xa8};
}

// The frame's outermost tag; nothing if it has none, or ends within it.
inline std::optional<VlanTag> vlan_tag(std::span<const std::byte> head) {
  if (!is_tagged(head) || head.size() < macs_size + vlan_tag_size) return std::nullopt;
  return static_cast<VlanTag>(std::to_integer<unsigned>(head[14]) << 8 |
                              std::to_integer<unsigned>(head[15]));
}

// A tag before the rest of the frame; writes to the vlan_tag_size bytes before the head, which the
// result starts with.
inline std::span<std::byte> push_vlan_tag(std::span<std::byte> head, VlanTag tag) {
  std::byte* const start = head.data() - vlan_tag_size;
  std::memmove(start, head.data(), macs_size);
  start[12] = std::byte{0x81};
  start[13] = std::byte{0};
  start[14] = static_cast<std::byte>(tag >> 8);
  start[15] = static_cast<std::byte>(tag & 0xff);
  return {start, head.size() + vlan_tag_size};
}

// The frame without its tag, which is there; the result ends where the head does.
inline std::span<std::byte> pop_vlan_tag(std::span<std::byte> head) {
  std::memmove(head.data() + vlan_tag_size, head.data(), macs_size);
  return head.subspan(vlan_tag_size);
}

}  // namespace ringback::net
