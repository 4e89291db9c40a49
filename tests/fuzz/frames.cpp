// Any bytes as a frame: nothing is read outside it, and software segments are never longer than
// they say.
#include <cstdlib>
#include <vector>

#include "net/checksum.hpp"
#include "net/segment.hpp"
#include "net/vnet_header.hpp"

using namespace ringback::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto gso_size = static_cast<std::uint16_t>(1 + data[0] + 256 * data[1]);
  const auto* bytes = reinterpret_cast<const std::byte*>(data + 2);
  std::vector<std::byte> frame(bytes, bytes + size - 2);

  if (const auto headers = parse_headers(frame, frame.size());
      headers && headers->packet_end > frame.size())
    abort();
  checksum_is_right(frame);
  to_vnet_header({Checksum::partial, Gso::tcpv4, gso_size}, frame, frame.size());

  Segmenter segmenter(frame, gso_size);
  while (!segmenter.done()) {
    std::vector<std::byte> segment(segmenter.next_size());
    if (segmenter.write_next(segment) != segment.size()) abort();
  }
  finish_checksum(frame);
  return 0;
}
