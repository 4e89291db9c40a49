// Any bytes as a frame: nothing is read outside it, and software segments are never longer than
// they say. What it is segmented into is put together again, and so are its bytes cut anywhere.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "net/checksum.hpp"
#include "net/coalesce.hpp"
#include "net/segment.hpp"
#include "net/toeplitz.hpp"
#include "net/vnet_header.hpp"

using namespace ringback::net;

namespace {

void coalesce(std::vector<std::vector<std::byte>>& frames) {
  Coalescer coalescer;
  std::size_t count = 0;
  for (auto& frame : frames)
    if (frame.size() >= ethernet_header_size && count++ < Coalescer::max_frames)
      coalescer.add(frame);
  for (const auto& run : coalescer.runs()) {
    std::vector<std::byte> whole(run.size);
    if (run.segments > 1) coalescer.write(run, whole);
  }
}

}  // namespace

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

  Toeplitz({1, 2, 3}).of_flow(frame, frame.size());

  std::vector<std::vector<std::byte>> segments;
  Segmenter segmenter(frame, gso_size);
  while (!segmenter.done()) {
    std::vector<std::byte> segment(segmenter.next_size());
    if (segmenter.write_next(segment) != segment.size()) abort();
    segments.push_back(std::move(segment));
  }
  coalesce(segments);
  std::vector<std::vector<std::byte>> pieces;
  for (std::span rest(frame); !rest.empty();) {
    const auto piece = rest.first(std::clamp<std::size_t>(gso_size, 1, rest.size()));
    pieces.emplace_back(piece.begin(), piece.end());
    rest = rest.subspan(piece.size());
  }
  coalesce(pieces);
  finish_checksum(frame);
  return 0;
}
