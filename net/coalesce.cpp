#include "net/coalesce.hpp"

#include <cstring>

#include "net/bytes.hpp"
#include "net/checksum.hpp"

namespace ringback::net {
namespace {

using Bytes = std::span<const std::byte>;

constexpr unsigned fin = 0x01, psh = 0x08, ack = 0x10, ece = 0x40;
constexpr unsigned dont_fragment = 0x4000;
// Flows that may be open at once, as a burst's frames are looked for in so many runs.
constexpr std::size_t most_open = 8;

bool same(Bytes one, Bytes other, std::size_t from, std::size_t to) {
  return std::memcmp(one.data() + from, other.data() + from, to - from) == 0;
}

bool is_ipv4(const Headers& headers) {
  return headers.network == Headers::Network::ipv4;
}

unsigned flags_of(Bytes frame, const Headers& headers) {
  return load8(frame, headers.transport_offset + std::size_t{13});
}

// TCP with nothing between it and IP's own header, as nearly all is. Linux looks no further either.
bool is_plain(const Headers& headers) {
  return headers.transport == Headers::Transport::tcp && !headers.fragment &&
         headers.transport_offset == headers.network_offset + (is_ipv4(headers) ? 20 : 40);
}

// A fragment past the first, and what lies behind unknown headers, may be of any flow.
bool may_be_tcp(const Headers& headers) {
  return headers.network != Headers::Network::other &&
         (headers.transport == Headers::Transport::tcp ||
          headers.transport == Headers::Transport::other);
}

// MAC addresses, tags, IP addresses and ports, of two that are plain.
bool same_flow(Bytes one, const Headers& of_one, Bytes other, const Headers& of_other) {
  const std::size_t network = of_one.network_offset, transport = of_one.transport_offset;
  if (network != of_other.network_offset || transport != of_other.transport_offset) return false;
  const std::size_t addresses = network + (is_ipv4(of_one) ? 12 : 8);
  return same(one, other, transport, transport + 4) &&
         same(one, other, addresses, addresses + (is_ipv4(of_one) ? 8 : 32)) &&
         same(one, other, 0, network);
}

// Every byte of the IP header but lengths, ids and checksums.
bool same_network_header(Bytes one, Bytes other, const Headers& headers) {
  const std::size_t at = headers.network_offset, end = headers.transport_offset;
  if (!is_ipv4(headers)) return same(one, other, at, at + 4) && same(one, other, at + 6, end);
  return same(one, other, at, at + 2) && same(one, other, at + 6, at + 10) &&
         same(one, other, at + 12, end);
}

// Every byte of the TCP header but sequence numbers, flags and checksums.
bool same_transport_header(Bytes one, Bytes other, const Headers& headers) {
  const std::size_t at = headers.transport_offset, end = headers.payload_offset;
  return same(one, other, at, at + 4) && same(one, other, at + 8, at + 13) &&
         same(one, other, at + 14, at + 16) && same(one, other, at + 18, end);
}

// The id that a Segmenter would give the segment of that number.
bool has_id(Bytes frame, Bytes first, const Headers& headers, std::size_t number) {
  const std::size_t at = headers.network_offset;
  if (!is_ipv4(headers) || (load16(frame, at + 6) & dont_fragment) != 0) return true;
  return load16(frame, at + 4) == static_cast<std::uint16_t>(load16(first, at + 4) + number);
}

bool checksums_are_right(Bytes frame, const Headers& headers) {
  const std::size_t at = headers.network_offset;
  return checksum_is_right(frame) &&
         (!is_ipv4(headers) || sum(frame.subspan(at, headers.transport_offset - at)) == 0xffff);
}

}  // namespace

// Whether others may follow it.
bool Coalescer::opens(const Segment& segment) {
  return (flags_of(segment.frame, segment.headers) & ~ece) == ack &&
         segment.payload() >= smallest_segment &&
         segment.headers.packet_end == segment.frame.size();
}

bool Coalescer::continues(const Run& run, const Segment& segment) const {
  const Bytes frame = segment.frame;
  const Headers& headers = segment.headers;
  const std::size_t payload = segment.payload();
  const unsigned flags = flags_of(frame, headers);
  return headers.payload_offset == run.headers.payload_offset && payload > 0 &&
         payload <= run.payload && headers.packet_end == frame.size() &&
         run.size + payload <= largest_ &&
         load32(frame, headers.transport_offset + std::size_t{4}) == run.next &&
         (flags & ~(fin | psh)) == flags_of(run.frame, run.headers) &&
         same_network_header(run.frame, frame, headers) &&
         same_transport_header(run.frame, frame, headers) &&
         has_id(frame, run.frame, headers, run.segments) && checksums_are_right(frame, headers) &&
         // Not looked at before there was one to follow it.
         (run.segments > 1 || checksums_are_right(run.frame, run.headers));
}

void Coalescer::add(std::span<std::byte> frame) {
  const std::size_t number = frame_count_++;
  frames_[number] = frame;
  const auto headers = parse_headers(frame, frame.size());
  const bool plain = headers && is_plain(*headers);
  const Segment segment{frame, plain ? *headers : Headers{}};
  for (std::size_t i = run_count_;
       headers && may_be_tcp(*headers) && i-- > 0 && i + most_open >= run_count_;) {
    Run& run = runs_[i];
    if (!run.open) continue;
    if (plain && !same_flow(run.frame, run.headers, frame, segment.headers)) continue;
    if (!plain || !continues(run, segment)) {
      // What comes later may not go before this one.
      run.open = false;
      continue;
    }
    const std::size_t payload = segment.payload();
    following_[run.last] = number;
    run.last = number;
    ++run.segments;
    run.size += payload;
    run.next += static_cast<std::uint32_t>(payload);
    run.open = payload == run.payload && (flags_of(frame, segment.headers) & (fin | psh)) == 0;
    run.offload = {Checksum::partial, is_ipv4(run.headers) ? Gso::tcpv4 : Gso::tcpv6,
                   static_cast<std::uint16_t>(run.payload)};
    return;
  }
  Run& run = runs_[run_count_++];
  run.segments = 1;
  run.size = frame.size();
  run.offload = {};
  run.frame = frame;
  run.first = run.last = number;
  run.open = plain && opens(segment);
  if (!run.open) return;
  run.headers = segment.headers;
  run.payload = segment.payload();
  run.next = load32(frame, run.headers.transport_offset + std::size_t{4}) +
             static_cast<std::uint32_t>(run.payload);
}

void Coalescer::write(const Run& run, std::span<std::byte> out) const {
  const Headers& headers = run.headers;
  const std::size_t header_size = headers.payload_offset;
  std::memcpy(out.data(), run.frame.data(), header_size);
  auto to = out.subspan(header_size);
  for (std::size_t i = run.first;; i = following_[i]) {
    const Bytes payload = frames_[i].subspan(header_size);
    std::memcpy(to.data(), payload.data(), payload.size());
    to = to.subspan(payload.size());
    if (i == run.last) break;
  }

  const std::size_t network = headers.network_offset, transport = headers.transport_offset;
  if (is_ipv4(headers)) {
    store16(out, network + 2, static_cast<std::uint16_t>(run.size - network));
    store16(out, network + 10, 0);
    store16(out, network + 10,
            static_cast<std::uint16_t>(~sum(out.subspan(network, transport - network))));
  } else {
    store16(out, network + 4, static_cast<std::uint16_t>(run.size - network - 40));
  }
  out[transport + 13] |= frames_[run.last][transport + 13];
  store16(out, transport + 16,
          pseudo_header_sum(out, headers, static_cast<std::uint32_t>(run.size - transport)));
}

}  // namespace ringback::net
