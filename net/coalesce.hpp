// TCP coalescing in software (what a NIC's LRO and Linux's GRO do): segments of one flow that
// follow each other become the super-frame that a sender with TSO would have sent, for a device
// that hands frames over as they were on the wire. The reverse of Segmenter, which makes the same
// segments of it again; only a "don't fragment" packet's IPv4 id, which means nothing (RFC 6864),
// may differ. Pure.
//
//   come:  | headers | payload 1 |   | other |   | headers | payload 2 |   | headers | payload 3 |
//   go:    | headers | payload 1 | payload 2 | payload 3 |   | other |
//
// The headers are the first segment's, with the length of the whole, the last one's PSH and FIN,
// and a partial checksum.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "net/headers.hpp"
#include "net/offload.hpp"

namespace ringback::net {

class Coalescer {
 public:
  static constexpr std::size_t max_frames = 64;
  static constexpr std::size_t largest_frame = 65'535;  // as an IP packet's length has 16 bits

  // A frame as it came, or segments that go as one.
  struct Run {
    std::size_t segments;
    std::size_t size;            // in bytes, of all as one
    Offload offload;             // unknown checksum and no GSO for a frame as it came
    std::span<std::byte> frame;  // the first segment; not changed here

   private:
    friend class Coalescer;
    std::size_t first, last;  // segments, among the frames
    Headers headers;          // of the first
    std::size_t payload;      // of the first: all but the last have so much
    std::uint32_t next;       // sequence number
    bool open;                // more may follow
  };

  // largest: size of a super-frame.
  explicit Coalescer(std::size_t largest = largest_frame) : largest_(largest) {}

  // The next frame that came, at least an Ethernet header, which outlives this; at most max_frames.
  // A segment whose checksums are wrong stays as it is, and one with IP options or extension
  // headers.
  void add(std::span<std::byte> frame);

  // In the order in which their first frames came: a flow's frames stay in order.
  std::span<const Run> runs() const { return {runs_.data(), run_count_}; }
  // Writes a run of two segments or more to out, which has its size.
  void write(const Run& run, std::span<std::byte> out) const;

 private:
  struct Segment {
    std::span<const std::byte> frame;
    Headers headers;
    std::size_t payload() const { return headers.packet_end - headers.payload_offset; }
  };
  static bool opens(const Segment& segment);
  bool continues(const Run& run, const Segment& segment) const;

  const std::size_t largest_;
  std::array<std::span<const std::byte>, max_frames> frames_;
  std::array<std::size_t, max_frames> following_;  // the run's next segment, where there is one
  std::array<Run, max_frames> runs_;
  std::size_t frame_count_ = 0;
  std::size_t run_count_ = 0;
};

}  // namespace ringback::net
