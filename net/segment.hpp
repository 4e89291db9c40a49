// TCP segmentation in software (what a NIC's TSO does): for receivers that did not negotiate GSO.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/headers.hpp"
#include "net/offload.hpp"

namespace ringback::net {

// Walks the segments of a TCP super-frame in order. Each segment: own IP length, IPv4 id and header
// checksum, TCP sequence number, FIN and PSH on the last only, CWR on the first only; complete TCP
// checksum. VLAN tags and IPv6 extension headers are kept as they are.
class Segmenter {
 public:
  // frame: whole and linear, outlives this. gso_size > 0: TCP payload bytes per segment. Not
  // valid() if it is not TCP over IPv4 or IPv6 with its headers within the frame: then drop it.
  Segmenter(std::span<const std::byte> frame, std::uint16_t gso_size);

  bool valid() const { return valid_; }
  // A frame without payload is one segment; one that is not valid() has none.
  bool done() const { return !valid_ || (index_ > 0 && next_ >= payload_size_); }
  // The next segment's size when written; like write_next(), only while not done().
  std::size_t next_size() const;
  // Writes the next segment to out (at least next_size() bytes) and returns its size.
  std::size_t write_next(std::span<std::byte> out);

 private:
  std::span<const std::byte> frame_;
  Headers headers_;
  std::size_t payload_size_ = 0;
  std::size_t next_ = 0;  // payload bytes already written
  std::uint32_t index_ = 0;
  std::uint16_t gso_size_;
  bool valid_ = false;
};

}  // namespace ringback::net
