// What a frame says about multicast: the group that it is for, and what hosts and routers tell each
// other of groups (IGMP: RFC 1112, 2236, 3376; MLD: RFC 2710, 3810), for a switch to overhear (RFC
// 4541). Pure; reads only within the bytes given.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "net/headers.hpp"

namespace ringback::net {

enum class Family : std::uint8_t { ipv4, ipv6 };

// A group's address as two numbers, IPv4's as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
struct MulticastGroup {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static constexpr MulticastGroup ipv4(std::uint32_t address) {
    return {0, std::uint64_t{0xffff} << 32 | address};
  }
  constexpr Family family() const {
    return high == 0 && low >> 32 == 0xffff ? Family::ipv4 : Family::ipv6;
  }
  friend constexpr auto operator<=>(const MulticastGroup&, const MulticastGroup&) = default;
};

// The group that a frame is for: its IP destination, if that is one and the MAC address is the
// group's (RFC 1112, 6.4; RFC 2464, 7). Whatever else a multicast MAC address may mean is nobody's
// group.
std::optional<MulticastGroup> group_of(std::span<const std::byte> head, const Headers& headers);

// Groups whose members need not say so, so that everybody gets them: 224.0.0.0/24 (RFC 4541, 2.1.2
// (2)), ff02::1, and what is not meant to leave a node, scopes 0 and 1 (RFC 3810, 6). Not the
// solicited-node groups: who is in one reports it (RFC 4862, 5.4.2), and to narrow these down is
// what MLD snooping is good for. Linux's bridge does the same.
constexpr bool always_flooded(const MulticastGroup& group) {
  if (group.family() == Family::ipv4) return (group.low & 0xffffff00) == 0xe0000000;
  return (group.high >> 48 & 0xf) < 2 || (group.high == 0xff02000000000000 && group.low == 1);
}

// Nothing about membership: it goes where its group is wanted.
struct Ordinary {};

// To be flooded, and nothing to be learned from it: a message that breaks its RFC, or IGMP of a
// kind unknown here (RFC 4541, 2.1.1 (5) and (3)).
struct Malformed {};
struct Unrecognised {};

// A router asks who wants a group. Only one that every host would answer is no Malformed one: a
// switch that believed others would wait for reports that never come.
struct Query {
  Family family = Family::ipv4;
  std::uint8_t version = 0;               // IGMP 1 to 3, MLD 1 to 2
  std::optional<MulticastGroup> group{};  // none: a general query, of all groups
  bool of_sources = false;                // who wants the group from certain sources: not all of it
  bool from_router = false;  // not from 0.0.0.0, a proxy that is no querier (RFC 4541, 2.1.1 (1 b))
  std::uint32_t max_response = 0;  // milliseconds that hosts may take to answer
  std::uint32_t interval = 0;      // seconds between general queries; 0: it does not say
  std::uint8_t robustness = 0;     // so many messages are sent where one may be lost; 0: as above
};

// Hosts want groups, or no longer.
struct Reports {
  struct Change {
    MulticastGroup group;
    bool join = false;
    friend bool operator==(const Change&, const Change&) = default;
  };
  // As many records of IGMPv3 as there is room for in `head_size` bytes, and some.
  static constexpr std::size_t capacity = 32;

  std::span<const Change> changes() const { return {list.data(), count}; }

  Family family = Family::ipv4;
  // There are more than the head holds: the sender may want any group.
  bool truncated = false;
  std::size_t count = 0;
  std::array<Change, capacity> list;
};

// A router says that it is there: a Hello of PIM (RFC 7761, 4.9.2) or an Advertisement of Multicast
// Router Discovery (RFC 4286, 3).
struct RouterPresent {
  Family family = Family::ipv4;
};

using MembershipMessage =
    std::variant<Ordinary, Malformed, Unrecognised, Query, Reports, RouterPresent>;

// head: the frame's first bytes; headers: parse_headers' of them. A checksum is verified where the
// head holds all that it covers.
MembershipMessage parse_membership(std::span<const std::byte> head, const Headers& headers);

}  // namespace ringback::net
