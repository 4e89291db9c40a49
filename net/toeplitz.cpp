#include "net/toeplitz.hpp"

#include "net/headers.hpp"

namespace ringback::net {

Toeplitz::Toeplitz(const Key& key) {
  const auto key_bit = [&](std::size_t i) { return (key[i / 8] >> (7 - i % 8) & 1U) != 0; };
  for (std::size_t place = 0; place < table_.size(); ++place)
    for (std::size_t bit = 0; bit < 4; ++bit) {
      std::uint32_t window = 0;
      for (std::size_t i = 0; i < 32; ++i) window = window << 1 | key_bit(place * 4 + bit + i);
      for (std::size_t value = 0; value < 16; ++value)
        if ((value >> (3 - bit) & 1) != 0) table_[place][value] ^= window;
    }
}

std::uint32_t Toeplitz::operator()(std::span<const std::byte> piece, std::size_t at) const {
  std::uint32_t hash = 0;
  for (std::size_t place = at * 2; const std::byte byte : piece) {
    hash ^= table_[place++][std::to_integer<std::size_t>(byte >> 4)];
    hash ^= table_[place++][std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return hash;
}

std::uint32_t Toeplitz::of_flow(std::span<const std::byte> head, std::size_t frame_size) const {
  const auto headers = parse_headers(head, frame_size);
  if (!headers || headers->network == Headers::Network::other) return 0;
  const bool v4 = headers->network == Headers::Network::ipv4;
  const std::size_t size = v4 ? 8 : 32;
  const std::uint32_t hash = (*this)(head.subspan(headers->network_offset + (v4 ? 12U : 8U), size));
  const bool has_ports = headers->transport == Headers::Transport::tcp ||
                         headers->transport == Headers::Transport::udp;
  // A fragment goes with the others of its packet, most of which have none.
  if (!has_ports || headers->fragment) return hash;
  return hash ^ (*this)(head.subspan(headers->transport_offset, 4), size);
}

}  // namespace ringback::net
