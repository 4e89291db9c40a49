#include "net/segment.hpp"

#include <algorithm>
#include <cstring>

#include "net/bytes.hpp"
#include "net/checksum.hpp"

namespace ringback::net {
namespace {

constexpr unsigned fin = 0x01, psh = 0x08, cwr = 0x80;

void write_ipv4(std::span<std::byte> packet, std::size_t header_length, std::uint32_t index) {
  store16(packet, 2, static_cast<std::uint16_t>(packet.size()));
  store16(packet, 4, static_cast<std::uint16_t>(load16(packet, 4) + index));
  store16(packet, 10, 0);
  store16(packet, 10, static_cast<std::uint16_t>(~sum(packet.first(header_length))));
}

void write_ipv6(std::span<std::byte> packet) {
  store16(packet, 4, static_cast<std::uint16_t>(packet.size() - 40));
}

}  // namespace

Segmenter::Segmenter(std::span<const std::byte> frame, std::uint16_t gso_size)
    : frame_(frame), gso_size_(gso_size) {
  const auto headers = parse_headers(frame, frame.size());
  if (!headers || headers->transport != Headers::Transport::tcp || headers->fragment) return;
  headers_ = *headers;
  payload_size_ = headers_.packet_end - headers_.payload_offset;
  valid_ = gso_size > 0;
}

std::size_t Segmenter::next_size() const {
  return headers_.payload_offset + std::min<std::size_t>(gso_size_, payload_size_ - next_);
}

std::size_t Segmenter::write_next(std::span<std::byte> out) {
  const std::size_t size = next_size();
  const std::size_t payload = size - headers_.payload_offset;
  const auto segment = out.first(size);
  std::memcpy(segment.data(), frame_.data(), headers_.payload_offset);
  std::memcpy(segment.data() + headers_.payload_offset,
              frame_.data() + headers_.payload_offset + next_, payload);

  const auto packet = segment.subspan(headers_.network_offset);
  if (headers_.network == Headers::Network::ipv4) {
    write_ipv4(packet, headers_.transport_offset - headers_.network_offset, index_);
  } else {
    write_ipv6(packet);
  }

  const auto tcp = segment.subspan(headers_.transport_offset);
  store32(tcp, 4, static_cast<std::uint32_t>(load32(tcp, 4) + next_));
  unsigned cleared = 0;
  if (next_ > 0) cleared |= cwr;
  if (next_ + payload < payload_size_) cleared |= fin | psh;
  tcp[13] &= static_cast<std::byte>(~cleared & 0xff);
  store16(tcp, 16, 0);
  const auto pseudo = pseudo_header_sum(segment, headers_, static_cast<std::uint32_t>(tcp.size()));
  store16(tcp, 16, static_cast<std::uint16_t>(~sum(tcp, pseudo)));

  next_ += payload;
  ++index_;
  return size;
}

}  // namespace ringback::net
