#include "frontend/outgoing.hpp"

#include "net/bytes.hpp"
#include "net/checksum.hpp"
#include "net/headers.hpp"
#include "ring/netif.hpp"

namespace ringback::frontend {
namespace {

// A netif frame doesn't say where its partial checksum is: the receiver finds the place in the
// headers.
bool is_implied(const net::VnetHeader& header, const net::Headers& headers) {
  const auto place = net::checksum_place(headers);
  return place && place->start == header.checksum_start && place->offset == header.checksum_offset;
}

bool takes_checksum(const net::Abilities& backend, const net::Headers& headers) {
  return headers.network == net::Headers::Network::ipv4 ? backend.checksum_v4 : backend.checksum_v6;
}

}  // namespace

Outgoing judge(const net::VnetHeader& header, std::span<const std::byte> head,
               std::size_t frame_size, const net::Abilities& backend) {
  const std::size_t longest = backend.scatter_gather ? ring::max_tx_size : ring::page_size;
  const auto offload = net::from_vnet_header(header);
  const auto headers = net::parse_headers(head, frame_size);
  if (!offload || !headers) return Outgoing::malformed;

  if (offload->gso != net::Gso::none) {
    const bool takes_gso = offload->gso == net::Gso::tcpv4 ? backend.gso_v4 : backend.gso_v6;
    if (takes_gso && takes_checksum(backend, *headers) && frame_size <= longest &&
        is_implied(header, *headers))
      return Outgoing::as_is;
    const std::size_t segment = std::size_t{headers->payload_offset} + offload->gso_size;
    return segment <= longest ? Outgoing::segment : Outgoing::too_long;
  }
  if (frame_size > longest) return Outgoing::too_long;
  if (offload->checksum != net::Checksum::partial) return Outgoing::as_is;
  return takes_checksum(backend, *headers) && is_implied(header, *headers) ? Outgoing::as_is
                                                                           : Outgoing::sum;
}

bool finish_checksum(std::span<std::byte> frame, const net::VnetHeader& header) {
  const std::size_t start = header.checksum_start;
  const std::size_t field = start + header.checksum_offset;
  if (field + 2 > frame.size()) return false;
  const auto checksum = static_cast<std::uint16_t>(~net::sum(frame.subspan(start)));
  // 0 would mean "no checksum" to UDP; to others the two are the same number.
  net::store16(frame, field, checksum == 0 ? std::uint16_t{0xffff} : checksum);
  return true;
}

}  // namespace ringback::frontend
