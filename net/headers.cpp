#include "net/headers.hpp"

#include <algorithm>

#include "net/bytes.hpp"

namespace ringback::net {
namespace {

using Bytes = std::span<const std::byte>;

constexpr int max_vlan_tags = 2;
constexpr int max_extension_headers = 8;

void parse_ethernet(Bytes head, Headers& headers) {
  const auto is_tag = [](std::uint16_t type) { return type == 0x8100 || type == 0x88a8; };
  std::size_t type_at = 12;
  for (int tags = 0; tags < max_vlan_tags && is_tag(load16(head, type_at)); ++tags) {
    if (head.size() - type_at < 6) break;
    type_at += 4;
  }
  headers.ether_type = load16(head, type_at);
  headers.network_offset = static_cast<std::uint16_t>(type_at + 2);
}

// at: where the header begins, within packet, which is as much of the IP packet as is at hand. A
// TCP header's options may lie past it: nothing reads them.
void parse_transport(Bytes packet, std::uint8_t protocol, std::size_t at, Headers& headers) {
  using Transport = Headers::Transport;
  const std::size_t here = packet.size() - at;
  const std::size_t whole = headers.packet_end - at;
  const bool v4 = headers.network == Headers::Network::ipv4;
  std::size_t payload = 0;
  if (protocol == 6) {
    if (here < 20) return;
    const std::size_t length = std::size_t{load8(packet, at + 12)} / 16 * 4;
    if (length < 20 || length > whole) return;
    headers.transport = Transport::tcp;
    payload = at + length;
  } else if (protocol == 17) {
    if (here < 8) return;
    const std::size_t length = load16(packet, at + 4);
    if (length < 8 || (length > whole && !headers.fragment)) return;
    headers.transport = Transport::udp;
    payload = at + 8;
  } else if (protocol == 1 && v4) {
    if (here < 8) return;
    headers.transport = Transport::icmp;
  } else if (protocol == 58 && !v4) {
    if (here < 4) return;
    headers.transport = Transport::icmpv6;
  } else {
    return;
  }
  headers.transport_offset = static_cast<std::uint16_t>(at);
  headers.payload_offset = static_cast<std::uint16_t>(payload);
}

void parse_ipv4(Bytes head, std::size_t frame_size, Headers& headers) {
  const std::size_t at = headers.network_offset;
  if (head.size() - at < 20 || load8(head, at) >> 4 != 4) return;
  const std::size_t header_length = std::size_t{load8(head, at)} % 16 * 4;
  const std::size_t total_length = load16(head, at + 2);
  if (header_length < 20 || header_length > head.size() - at) return;
  if (total_length < header_length || total_length > frame_size - at) return;
  headers.network = Headers::Network::ipv4;
  headers.packet_end = static_cast<std::uint32_t>(at + total_length);

  const unsigned fragment = load16(head, at + 6);
  headers.fragment = (fragment & 0x3fff) != 0;  // an offset, or more to come
  if ((fragment & 0x1fff) != 0) return;
  const Bytes packet = head.first(std::min<std::size_t>(head.size(), headers.packet_end));
  parse_transport(packet, load8(head, at + 9), at + header_length, headers);
}

void parse_ipv6(Bytes head, std::size_t frame_size, Headers& headers) {
  constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, authentication = 51,
                         destination = 60;
  std::size_t at = headers.network_offset;
  if (head.size() - at < 40 || load8(head, at) >> 4 != 6) return;
  const std::size_t payload_length = load16(head, at + 4);  // 0 is a jumbogram: netif has none
  if (payload_length == 0 || payload_length > frame_size - at - 40) return;
  headers.network = Headers::Network::ipv6;
  headers.packet_end = static_cast<std::uint32_t>(at + 40 + payload_length);

  const Bytes packet = head.first(std::min<std::size_t>(head.size(), headers.packet_end));
  std::uint8_t next = load8(head, at + 6);
  at += 40;
  for (int i = 0; i < max_extension_headers; ++i) {
    if (next != hop_by_hop && next != routing && next != fragment && next != authentication &&
        next != destination)
      break;
    if (packet.size() - at < 8) return;
    std::size_t length = (load8(packet, at + 1) + std::size_t{1}) * 8;
    if (next == authentication) length = (load8(packet, at + 1) + std::size_t{2}) * 4;
    if (next == fragment) {
      length = 8;
      const unsigned place = load16(packet, at + 2);
      headers.fragment = headers.fragment || (place & 0xfff9) != 0;  // not an atomic one, RFC 6946
      if ((place & 0xfff8) != 0) return;
    }
    if (length > packet.size() - at) return;
    next = load8(packet, at);
    at += length;
  }
  parse_transport(packet, next, at, headers);
}

}  // namespace

std::optional<Headers> parse_headers(Bytes head, std::size_t frame_size) {
  head = head.first(std::min(head.size(), frame_size));
  if (head.size() < ethernet_header_size) return std::nullopt;
  Headers headers;
  parse_ethernet(head, headers);
  if (headers.ether_type == 0x0800) parse_ipv4(head, frame_size, headers);
  if (headers.ether_type == 0x86dd) parse_ipv6(head, frame_size, headers);
  return headers;
}

std::optional<ChecksumPlace> checksum_place(const Headers& headers) {
  if (headers.fragment) return std::nullopt;  // the rest of what it covers is elsewhere
  switch (headers.transport) {
    case Headers::Transport::tcp:
      return ChecksumPlace{headers.transport_offset, 16};
    case Headers::Transport::udp:
      return ChecksumPlace{headers.transport_offset, 6};
    case Headers::Transport::icmpv6:
      return ChecksumPlace{headers.transport_offset, 2};
    default:
      return std::nullopt;
  }
}

}  // namespace ringback::net
