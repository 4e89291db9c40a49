#include "net/checksum.hpp"

#include <array>
#include <cstring>

#include "net/bytes.hpp"

namespace ringback::net {
namespace {

std::uint16_t fold(std::uint64_t value) {
  while (value > 0xffff) value = (value & 0xffff) + (value >> 16);
  return static_cast<std::uint16_t>(value);
}

// What the checksum covers: to the packet's end, but UDP says itself how long it is.
std::uint32_t transport_length(std::span<const std::byte> frame, const Headers& headers) {
  if (headers.transport == Headers::Transport::udp) {
    return load16(frame, headers.transport_offset + std::size_t{4});
  }
  return headers.packet_end - headers.transport_offset;
}

}  // namespace

// Sums in the host's byte order, which comes out the same (RFC 1071, section 2), with end-around
// carries; four sums side by side, so that no addition waits for the one before.
std::uint16_t sum(std::span<const std::byte> bytes, std::uint32_t start) {
  std::array<std::uint64_t, 4> sums{};
  const auto add = [](std::uint64_t& to, std::uint64_t word) {
    to += word;
    to += to < word ? 1 : 0;
  };
  for (; bytes.size() >= sizeof(sums); bytes = bytes.subspan(sizeof(sums))) {
    std::array<std::uint64_t, sums.size()> words;
    std::memcpy(words.data(), bytes.data(), sizeof(words));
    for (std::size_t i = 0; i < sums.size(); ++i) add(sums[i], words[i]);
  }
  const auto take = [&](std::uint64_t& to, auto word, std::size_t size) {
    std::memcpy(&word, bytes.data(), size);
    bytes = bytes.subspan(size);
    add(to, word);
  };
  while (bytes.size() >= 8) take(sums[0], std::uint64_t{0}, 8);
  if (bytes.size() >= 4) take(sums[1], std::uint32_t{0}, 4);
  if (bytes.size() >= 2) take(sums[2], std::uint16_t{0}, 2);
  if (!bytes.empty()) take(sums[3], std::uint16_t{0}, 1);
  add(sums[0], sums[1]);
  add(sums[2], sums[3]);
  add(sums[0], sums[2]);
  const std::uint16_t host = fold(sums[0]);
  return fold(std::uint64_t{load16(std::as_bytes(std::span(&host, 1)), 0)} + start);
}

std::uint16_t pseudo_header_sum(std::span<const std::byte> frame, const Headers& headers,
                                std::uint32_t length) {
  std::uint32_t start = (length >> 16) + (length & 0xffff);
  switch (headers.transport) {
    case Headers::Transport::tcp:
      start += 6;
      break;
    case Headers::Transport::udp:
      start += 17;
      break;
    case Headers::Transport::icmpv6:
      start += 58;
      break;
    default:
      break;
  }
  const std::size_t at = headers.network_offset;
  return headers.network == Headers::Network::ipv4 ? sum(frame.subspan(at + 12, 8), start)
                                                   : sum(frame.subspan(at + 8, 32), start);
}

bool finish_checksum(std::span<std::byte> frame) {
  const auto headers = parse_headers(frame, frame.size());
  const auto place = headers ? checksum_place(*headers) : std::nullopt;
  if (!place) return false;
  auto checksum = static_cast<std::uint16_t>(
      ~sum(frame.subspan(place->start, transport_length(frame, *headers))));
  // 0 would say that there is none (RFC 768).
  if (checksum == 0 && headers->transport == Headers::Transport::udp) checksum = 0xffff;
  store16(frame, std::size_t{place->start} + place->offset, checksum);
  return true;
}

bool checksum_is_right(std::span<const std::byte> frame) {
  const auto headers = parse_headers(frame, frame.size());
  const auto place = headers ? checksum_place(*headers) : std::nullopt;
  if (!place) return true;
  if (headers->transport == Headers::Transport::udp &&
      load16(frame, std::size_t{place->start} + place->offset) == 0) {
    return headers->network == Headers::Network::ipv4;  // IPv6 asks for one (RFC 8200, 8.1)
  }
  const std::uint32_t length = transport_length(frame, *headers);
  return sum(frame.subspan(place->start, length), pseudo_header_sum(frame, *headers, length)) ==
         0xffff;
}

}  // namespace ringback::net
