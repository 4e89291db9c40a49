#include "net/vnet_header.hpp"

#include "net/bytes.hpp"

namespace ringback::net {
namespace {

constexpr std::uint8_t needs_csum = 1, data_valid = 2;                              // flags
constexpr std::uint8_t gso_none = 0, gso_tcpv4 = 1, gso_tcpv6 = 4, gso_ecn = 0x80;  // gso_type

constexpr std::uint8_t tcp_cwr = 0x80;

// The frame must be of the kind that its GSO type says.
bool fits(Gso gso, const Headers& headers) {
  return headers.transport == Headers::Transport::tcp &&
         (headers.network == Headers::Network::ipv4) == (gso == Gso::tcpv4);
}

}  // namespace

std::optional<VnetHeader> to_vnet_header(const Offload& offload, std::span<const std::byte> head,
                                         std::size_t frame_size) {
  VnetHeader result;
  if (offload.gso == Gso::none && offload.checksum != Checksum::partial) {
    if (offload.checksum == Checksum::verified) result.flags = data_valid;
    return result;
  }

  const auto headers = parse_headers(head, frame_size);
  const auto place = headers ? checksum_place(*headers) : std::nullopt;
  if (!place) return std::nullopt;
  result.flags = needs_csum;
  result.checksum_start = place->start;
  result.checksum_offset = place->offset;
  if (offload.gso == Gso::none) return result;

  if (!fits(offload.gso, *headers)) return std::nullopt;
  result.gso_type = offload.gso == Gso::tcpv4 ? gso_tcpv4 : gso_tcpv6;
  // CWR is to be on the first segment only.
  if ((load8(head, headers->transport_offset + std::size_t{13}) & tcp_cwr) != 0) {
    result.gso_type |= gso_ecn;
  }
  result.gso_size = offload.gso_size;
  result.header_length = headers->payload_offset;
  return result;
}

bool is_credible(const Offload& offload, std::span<const std::byte> head, std::size_t frame_size) {
  if (offload.gso != Gso::none && offload.gso_size < smallest_segment) return false;
  return to_vnet_header(offload, head, frame_size).has_value();
}

std::optional<Offload> from_vnet_header(const VnetHeader& header) {
  Offload offload;
  if ((header.flags & needs_csum) != 0) {
    offload.checksum = Checksum::partial;
  } else if ((header.flags & data_valid) != 0) {
    offload.checksum = Checksum::verified;
  }
  switch (header.gso_type & ~gso_ecn) {
    case gso_none:
      return offload;
    case gso_tcpv4:
      offload.gso = Gso::tcpv4;
      break;
    case gso_tcpv6:
      offload.gso = Gso::tcpv6;
      break;
    default:
      return std::nullopt;
  }
  offload.gso_size = header.gso_size;
  if (offload.gso_size == 0) return std::nullopt;
  return offload;
}

}  // namespace ringback::net
