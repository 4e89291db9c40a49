#include "net/multicast.hpp"

#include <algorithm>

#include "net/bytes.hpp"
#include "net/checksum.hpp"

namespace ringback::net {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t all_systems = 0xe0000001;      // 224.0.0.1
constexpr std::uint32_t all_pim_routers = 0xe000000d;  // 224.0.0.13
constexpr MulticastGroup all_nodes{0xff02000000000000, 1};
constexpr MulticastGroup all_pim_routers_v6{0xff02000000000000, 0xd};
constexpr std::uint8_t igmp_protocol = 2, pim_protocol = 103;
constexpr std::uint16_t right_sum = 0xffff;

// family: of the packet that names it; IPv6 may name addresses that look like IPv4's here.
constexpr bool is_multicast(const MulticastGroup& group, Family family) {
  if (family == Family::ipv4) return (group.low & 0xf0000000) == 0xe0000000;
  return group.high >> 56 == 0xff;
}

std::uint64_t load64(Bytes bytes, std::size_t at) {
  return std::uint64_t{load32(bytes, at)} << 32 | load32(bytes, at + 4);
}

MulticastGroup load_address(Bytes bytes, std::size_t at, Family family) {
  if (family == Family::ipv4) return MulticastGroup::ipv4(load32(bytes, at));
  return {load64(bytes, at), load64(bytes, at + 8)};
}

MulticastGroup destination(Bytes head, const Headers& headers) {
  return headers.network == Headers::Network::ipv4
             ? load_address(head, headers.network_offset + std::size_t{16}, Family::ipv4)
             : load_address(head, headers.network_offset + std::size_t{24}, Family::ipv6);
}

// A message as the packet has it, and as much of it as is at hand.
struct Message {
  Bytes bytes;
  std::size_t size;
  Family family;
  bool whole() const { return bytes.size() == size; }
};

// A number of `bits` that is itself below half of what they can hold, and else a floating-point
// one, with three bits of exponent (RFC 3376, 4.1.1 and 4.1.7; RFC 3810, 5.1.3).
constexpr std::uint32_t from_code(std::uint32_t code, unsigned bits) {
  const unsigned mantissa_bits = bits - 4;
  if (code >> (bits - 1) == 0) return code;
  const std::uint32_t mantissa = code & ((1U << mantissa_bits) - 1);
  return (mantissa | 1U << mantissa_bits) << ((code >> mantissa_bits & 7) + 3);
}

//   | type | max response | checksum | group, IPv4 ... | S, QRV | QQIC | sources: count |  IGMP
//   | type | 0 | checksum | max response | 0 | group ... | S, QRV | QQIC | sources: count |  MLD
//
// sent_to: must be the group that it asks of, or all hosts (RFC 3376, 4.1.12): a query that not all
// who are asked would get is none.
MembershipMessage parse_query(const Message& message, const std::optional<MulticastGroup>& sent_to,
                              bool router_alert, bool from_router) {
  // What can't be verified might be refused by hosts.
  if (!message.whole()) return Malformed{};
  const Bytes bytes = message.bytes;
  const bool v4 = message.family == Family::ipv4;
  const std::size_t group_at = v4 ? 4 : 8;
  const std::size_t rest_at = v4 ? 8 : 24;
  const MulticastGroup group = load_address(bytes, group_at, message.family);
  const bool general = group == (v4 ? MulticastGroup::ipv4(0) : MulticastGroup{});

  Query query;
  query.family = message.family;
  query.from_router = from_router;
  if (!general) query.group = group;
  if (bytes.size() == rest_at) {  // RFC 3376, 7.1; RFC 3810, 8.1
    query.version = v4 && load8(bytes, 1) != 0 ? 2 : 1;
    query.max_response = v4 ? load8(bytes, 1) * 100U : load16(bytes, 4);
    if (v4 && query.version == 1) query.max_response = 10'000;  // RFC 1112, appendix I
  } else if (bytes.size() >= rest_at + 4) {
    query.version = v4 ? 3 : 2;
    query.max_response = v4 ? from_code(load8(bytes, 1), 8) * 100 : from_code(load16(bytes, 4), 16);
    query.robustness = load8(bytes, rest_at) & 7;
    query.interval = from_code(load8(bytes, rest_at + 1), 8);
    const std::size_t sources = load16(bytes, rest_at + 2);
    if (sources * (v4 ? 4 : 16) > bytes.size() - rest_at - 4) return Malformed{};
    query.of_sources = sources != 0;
  } else {
    return Malformed{};
  }
  const bool v1 = v4 && query.version == 1;  // knows neither the option nor queries of a group
  const MulticastGroup asked = !general ? group
                               : v4     ? MulticastGroup::ipv4(all_systems)
                                        : all_nodes;
  const bool broken = sent_to != asked || (!v1 && !router_alert) ||
                      (general ? query.of_sources : v1 || !is_multicast(group, message.family));
  if (broken) return Malformed{};
  return query;
}

MembershipMessage parse_single_report(const Message& message, bool join) {
  const std::size_t group_at = message.family == Family::ipv4 ? 4 : 8;
  const MulticastGroup group = load_address(message.bytes, group_at, message.family);
  if (!is_multicast(group, message.family)) return Malformed{};
  Reports reports;
  reports.family = message.family;
  reports.list[reports.count++] = {group, join};
  return reports;
}

// What a record says of the whole group, whatever its sources (RFC 3376, 4.2.12 and 6.4; RFC 3810,
// 5.2.12 and 7.4). A member of any source is one here, and only who wants none of them leaves.
// BLOCK says neither: there may be other sources, and no router learns of a member by it.
std::optional<bool> joins(std::uint8_t type, std::size_t sources) {
  constexpr std::uint8_t is_include = 1, is_exclude = 2, to_include = 3, to_exclude = 4, allow = 5;
  switch (type) {
    case is_exclude:
    case to_exclude:
      return true;
    case to_include:
      return sources != 0;
    case is_include:
    case allow:
      if (sources != 0) return true;
      return std::nullopt;
    default:
      return std::nullopt;  // to be ignored, if it is new to us (RFC 3376, 4.2.12)
  }
}

//   | type | 0 | checksum | 0 | records: count |, then of each
//   | type | words behind the sources | sources: count | group ... | sources ... | words ... |
MembershipMessage parse_records(const Message& message) {
  const std::size_t address_size = message.family == Family::ipv4 ? 4 : 16;
  const std::size_t record_size = 4 + address_size;
  const std::size_t count = load16(message.bytes, 6);
  Reports reports;
  reports.family = message.family;
  std::size_t at = 8;
  for (std::size_t i = 0; i < count; ++i) {
    if (record_size > message.size - at) return Malformed{};
    if (at > message.bytes.size() || record_size > message.bytes.size() - at) {
      reports.truncated = true;
      break;
    }
    const std::size_t sources = load16(message.bytes, at + 2);
    const std::size_t size =
        record_size + sources * address_size + std::size_t{load8(message.bytes, at + 1)} * 4;
    if (size > message.size - at) return Malformed{};
    const MulticastGroup group = load_address(message.bytes, at + 4, message.family);
    if (!is_multicast(group, message.family)) return Malformed{};
    if (const auto join = joins(load8(message.bytes, at), sources)) {
      if (reports.count == Reports::capacity) {
        reports.truncated = true;
        break;
      }
      reports.list[reports.count++] = {group, *join};
    }
    at += size;
  }
  return reports;
}

bool has_router_alert_v4(Bytes options) {  // RFC 2113, 2.1
  constexpr std::uint8_t end = 0, no_operation = 1, router_alert = 0x94;
  while (!options.empty() && load8(options, 0) != end) {
    std::size_t size = 1;
    if (load8(options, 0) != no_operation) {
      if (options.size() < 2) return false;
      size = load8(options, 1);
      if (size < 2 || size > options.size()) return false;
      if (load8(options, 0) == router_alert) return size == 4 && load16(options, 2) == 0;
    }
    options = options.subspan(size);
  }
  return false;
}

bool has_router_alert_v6(Bytes options) {  // RFC 2711, 2.1: 0, for MLD
  constexpr std::uint8_t pad1 = 0, router_alert = 5;
  while (!options.empty()) {
    std::size_t size = 1;
    if (load8(options, 0) != pad1) {
      if (options.size() < 2) return false;
      size = std::size_t{load8(options, 1)} + 2;
      if (size > options.size()) return false;
      if (load8(options, 0) == router_alert) return size == 4 && load16(options, 2) == 0;
    }
    options = options.subspan(size);
  }
  return false;
}

bool is_pim_hello(const Message& message) {
  return message.bytes.size() >= 4 && load8(message.bytes, 0) == 0x20;  // version 2, type 0
}

bool checksum_is_wrong(const Message& message, std::uint32_t start = 0) {
  return message.whole() && sum(message.bytes, start) != right_sum;
}

// head ends where the packet does, if not before.
MembershipMessage parse_v4(Bytes head, const Headers& headers) {
  const std::size_t at = headers.network_offset;
  const std::uint8_t protocol = load8(head, at + 9);
  if (protocol != igmp_protocol && protocol != pim_protocol) return Ordinary{};
  const std::size_t header_size = std::size_t{load8(head, at)} % 16 * 4;
  const Message message{head.subspan(at + header_size), headers.packet_end - at - header_size,
                        Family::ipv4};
  const auto broken = [&] {
    return headers.fragment || load8(head, at + 8) != 1 ||
           sum(head.subspan(at, header_size)) != right_sum || checksum_is_wrong(message);
  };
  if (protocol == pim_protocol) {
    const bool hello = destination(head, headers) == MulticastGroup::ipv4(all_pim_routers) &&
                       is_pim_hello(message);
    if (!hello) return Ordinary{};
    if (broken()) return Malformed{};
    return RouterPresent{Family::ipv4};
  }

  if (message.bytes.size() < 8 || broken()) return Malformed{};
  constexpr std::uint8_t query = 0x11, report_v1 = 0x12, report_v2 = 0x16, leave = 0x17,
                         report_v3 = 0x22, router_advertisement = 0x30;
  switch (load8(message.bytes, 0)) {
    case query: {
      const std::uint32_t source = load32(head, at + 12);
      if (source >> 24 == 127 || source >> 28 >= 0xe) return Malformed{};  // no host's (RFC 1122)
      return parse_query(message, group_of(head, headers),
                         has_router_alert_v4(head.subspan(at + 20, header_size - 20)), source != 0);
    }
    case report_v1:
    case report_v2:
      return parse_single_report(message, true);
    case leave:
      return parse_single_report(message, false);
    case report_v3:
      return parse_records(message);
    case router_advertisement:
      return RouterPresent{Family::ipv4};
    default:
      return Unrecognised{};
  }
}

MembershipMessage parse_v6(Bytes head, const Headers& headers) {
  const std::size_t at = headers.network_offset;
  const std::uint8_t next = load8(head, at + 6);
  const std::uint8_t hop_limit = load8(head, at + 7);
  if (next == pim_protocol) {
    const Message message{head.subspan(at + 40), headers.packet_end - at - 40, Family::ipv6};
    const bool hello = destination(head, headers) == all_pim_routers_v6 && is_pim_hello(message);
    if (!hello) return Ordinary{};
    // The pseudo-header's length has nothing in its upper half: no jumbograms here.
    const std::uint32_t start =
        sum(head.subspan(at + 8, 32), pim_protocol) + static_cast<std::uint32_t>(message.size);
    if (hop_limit != 1 || checksum_is_wrong(message, start)) return Malformed{};
    return RouterPresent{Family::ipv6};
  }

  if (headers.transport != Headers::Transport::icmpv6) return Ordinary{};
  const std::size_t message_at = headers.transport_offset;
  const Message message{head.subspan(message_at), headers.packet_end - message_at, Family::ipv6};
  constexpr std::uint8_t query = 130, report_v1 = 131, done = 132, report_v2 = 143,
                         router_advertisement = 151;
  const std::uint8_t type = load8(message.bytes, 0);
  const bool one_of_ours = type == query || type == report_v1 || type == done ||
                           type == report_v2 || type == router_advertisement;
  if (!one_of_ours) return Ordinary{};

  // RFC 3810, 5: a link-local source (a report's may be :: yet, 5.2.13), a hop limit of 1, and the
  // router alert in a hop-by-hop header. Nobody heeds what lacks them (6.2, 7.4).
  const MulticastGroup source = load_address(head, at + 8, Family::ipv6);
  const bool link_local = source.high >> 54 == 0xfe80 >> 6;
  const bool unspecified = source == MulticastGroup{};
  const bool good_source = link_local || (unspecified && type != query);
  const std::size_t least = type == report_v2 || type == router_advertisement ? 8 : 24;
  if (headers.fragment || hop_limit != 1 || !good_source || next != 0 ||
      message.bytes.size() < least ||
      checksum_is_wrong(message,
                        pseudo_header_sum(head, headers, static_cast<std::uint32_t>(message.size))))
    return Malformed{};
  const std::size_t options_size = (std::size_t{load8(head, at + 41)} + 1) * 8 - 2;
  if (!has_router_alert_v6(head.subspan(at + 42, options_size))) return Malformed{};

  switch (type) {
    case query:
      return parse_query(message, group_of(head, headers), true, true);
    case report_v1:
      return parse_single_report(message, true);
    case done:
      return parse_single_report(message, false);
    case report_v2:
      return parse_records(message);
    default:
      return RouterPresent{Family::ipv6};
  }
}

}  // namespace

std::optional<MulticastGroup> group_of(Bytes head, const Headers& headers) {
  if (headers.network == Headers::Network::other) return std::nullopt;
  const MulticastGroup group = destination(head, headers);
  const Family family = headers.network == Headers::Network::ipv4 ? Family::ipv4 : Family::ipv6;
  const std::uint64_t mac = load64(head, 0) >> 16;
  const std::uint64_t groups = family == Family::ipv4 ? 0x01005e000000 | (group.low & 0x7fffff)
                                                      : 0x333300000000 | (group.low & 0xffffffff);
  if (!is_multicast(group, family) || mac != groups) return std::nullopt;
  return group;
}

MembershipMessage parse_membership(Bytes head, const Headers& headers) {
  head = head.first(std::min<std::size_t>(head.size(), headers.packet_end));  // and no padding
  switch (headers.network) {
    case Headers::Network::ipv4:
      return parse_v4(head, headers);
    case Headers::Network::ipv6:
      return parse_v6(head, headers);
    default:
      return Ordinary{};
  }
}

}  // namespace ringback::net
