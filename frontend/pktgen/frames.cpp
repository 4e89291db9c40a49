#include "frontend/pktgen/frames.hpp"

#include <algorithm>
#include <bit>

#include "net/bytes.hpp"
#include "net/checksum.hpp"
#include "net/headers.hpp"

namespace ringback::frontend {
namespace {

constexpr std::uint16_t magic = 0x5242;
constexpr std::size_t stamp_size = 18;
constexpr std::size_t ip_at = 14, transport_at = 34;
constexpr std::size_t udp_stamp_at = 42, tcp_stamp_at = 54;
constexpr std::uint8_t tcp = 6, udp = 17;
constexpr std::uint16_t segment_payload = 1460;
constexpr std::uint16_t discard_port = 9;
constexpr std::uint32_t ports = 50000, first_port = 10000;

void write_ip(std::span<std::byte> frame, std::uint32_t flow, std::size_t size,
              std::uint8_t protocol) {
  const std::uint32_t host = flow / ports & 0xffff;
  net::store16(frame, 12, 0x0800);
  frame[ip_at] = std::byte{0x45};
  net::store16(frame, ip_at + 2, static_cast<std::uint16_t>(size - ip_at));
  net::store16(frame, ip_at + 6, 0x4000);  // don't fragment
  frame[ip_at + 8] = std::byte{64};
  frame[ip_at + 9] = std::byte{protocol};
  net::store32(frame, ip_at + 12, 198U << 24 | 18U << 16 | host);
  net::store32(frame, ip_at + 16, 198U << 24 | 19U << 16 | host);
  const auto sum = net::sum(frame.subspan(ip_at, transport_at - ip_at));
  net::store16(frame, ip_at + 10, static_cast<std::uint16_t>(~sum));
}

// A word of payload: depends on its place, so that swapped pieces show. The multiplier is odd, so
// that no two numbers of a flow have the same key.
struct Pattern {
  explicit Pattern(const Stamp& stamp)
      : key((std::uint64_t{stamp.flow} << 32 | stamp.number) * 0x9e3779b97f4a7c15 + 1) {}
  std::uint64_t word(std::size_t place) const { return key + place; }
  std::byte byte(std::size_t offset) const {
    return static_cast<std::byte>(word(offset / 8) >> 8 * (offset % 8));
  }
  std::uint64_t key;
};
static_assert(std::endian::native == std::endian::little);

// Calls byte(i) for what does not fill a word of the frame, and words(first, last) for the rest.
template <class Byte, class Words>
void walk(std::size_t offset, std::size_t size, Byte byte, Words words) {
  const std::size_t end = offset + size;
  const std::size_t aligned = std::min((offset + 7) / 8 * 8, end);
  const std::size_t last = std::max(end / 8 * 8, aligned);
  for (std::size_t i = offset; i < aligned; ++i) byte(i);
  if (aligned < last) words(aligned, last);
  for (std::size_t i = last; i < end; ++i) byte(i);
}

}  // namespace

FrameHead make_head(const MacAddress& from, const MacAddress& to, std::uint32_t flow,
                    std::size_t size) {
  FrameHead head;
  const std::span frame(head.bytes);
  std::memcpy(frame.data(), to.data(), to.size());
  std::memcpy(frame.data() + 6, from.data(), from.size());
  const bool segmented = size > longest_datagram;
  write_ip(frame, flow, size, segmented ? tcp : udp);
  net::store16(frame, transport_at, static_cast<std::uint16_t>(first_port + flow % ports));
  net::store16(frame, transport_at + 2, discard_port);
  head.size = static_cast<std::uint32_t>(size);
  if (!segmented) {
    net::store16(frame, transport_at + 4, static_cast<std::uint16_t>(size - transport_at));
    head.stamp_at = udp_stamp_at;  // its checksum stays 0: there is none
    return head;
  }
  frame[transport_at + 12] = std::byte{5 << 4};
  frame[transport_at + 13] = std::byte{0x10};  // ACK
  net::store16(frame, transport_at + 14, 0xffff);
  const auto headers = *net::parse_headers(frame, size);
  net::store16(
      frame, transport_at + 16,
      net::pseudo_header_sum(frame, headers, static_cast<std::uint32_t>(size - transport_at)));
  head.stamp_at = tcp_stamp_at;
  head.offload = {net::Checksum::partial, net::Gso::tcpv4, segment_payload};
  return head;
}

void write_head(std::byte* frame, const FrameHead& head, const Stamp& stamp) {
  // The longest, so that its size is known: a copy of so little must not be a call.
  std::memcpy(frame, head.bytes.data(), sizeof head.bytes);
  std::byte* const at = frame + head.stamp_at;
  std::memcpy(at, &magic, 2);
  std::memcpy(at + 2, &stamp.flow, 4);
  std::memcpy(at + 6, &stamp.number, 4);
  std::memcpy(at + 10, &stamp.time, 8);
}

void write_payload(std::byte* to, std::size_t offset, std::size_t size, const FrameHead& head,
                   const Stamp& stamp) {
  const std::size_t skip = head.stamp_at + stamp_size;
  const std::size_t start = std::max(offset, skip);
  if (start >= offset + size) return;
  const Pattern pattern(stamp);
  walk(
      start, offset + size - start, [&](std::size_t i) { to[i - offset] = pattern.byte(i); },
      [&](std::size_t first, std::size_t last) {
        for (std::size_t i = first; i < last; i += 8) {
          const std::uint64_t word = pattern.word(i / 8);
          std::memcpy(to + (i - offset), &word, 8);
        }
      });
}

std::optional<Stamp> read_stamp(std::span<const std::byte> first) {
  if (first.size() < shortest_frame || net::load16(first, 12) != 0x0800) return std::nullopt;
  const auto protocol = net::load8(first, ip_at + 9);
  const std::size_t stamp_at = protocol == tcp ? tcp_stamp_at : udp_stamp_at;
  if (first.size() < stamp_at + stamp_size) return std::nullopt;
  const std::byte* const at = first.data() + stamp_at;
  std::uint16_t its_magic;
  Stamp stamp;
  std::memcpy(&its_magic, at, 2);
  std::memcpy(&stamp.flow, at + 2, 4);
  std::memcpy(&stamp.number, at + 6, 4);
  std::memcpy(&stamp.time, at + 10, 8);
  if (its_magic != magic) return std::nullopt;
  return stamp;
}

bool payload_is_right(std::span<const iovec> frame, const Stamp& stamp) {
  std::size_t whole = 0;
  for (const auto& part : frame) whole += part.iov_len;
  const std::size_t skip = (whole > longest_datagram ? tcp_stamp_at : udp_stamp_at) + stamp_size;
  const Pattern pattern(stamp);
  std::uint64_t wrong = 0;
  std::size_t offset = 0;
  for (const auto& part : frame) {
    const auto* const from = static_cast<const std::byte*>(part.iov_base);
    const std::size_t start = std::max(offset, skip);
    if (start < offset + part.iov_len) {
      walk(
          start, offset + part.iov_len - start,
          [&](std::size_t i) {
            wrong |= std::to_integer<std::uint64_t>(from[i - offset] ^ pattern.byte(i));
          },
          [&](std::size_t first, std::size_t last) {
            for (std::size_t i = first; i < last; i += 8) {
              std::uint64_t word;
              std::memcpy(&word, from + (i - offset), 8);
              wrong |= word ^ pattern.word(i / 8);
            }
          });
    }
    offset += part.iov_len;
  }
  return wrong == 0;
}

}  // namespace ringback::frontend
