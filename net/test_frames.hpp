// For tests: frames built byte by byte, and the slow reference that they are judged by. It shares
// no code with what it tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace ringback::net::test {

using Octets = std::vector<std::uint8_t>;
using Random = std::mt19937;

inline std::size_t below(Random& random, std::size_t limit) {
  return random() % limit;
}

inline std::span<const std::byte> bytes(const Octets& octets) {
  return std::as_bytes(std::span(octets));
}
inline std::span<std::byte> bytes(Octets& octets) {
  return std::as_writable_bytes(std::span(octets));
}

inline Octets from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Octets result;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    result.push_back(static_cast<std::uint8_t>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return result;
}

inline std::uint32_t number(const Octets& octets, std::size_t at, std::size_t size) {
  std::uint32_t result = 0;
  for (std::size_t i = 0; i < size; ++i) result = result * 256 + octets.at(at + i);
  return result;
}

inline void put(Octets& octets, std::size_t at, std::size_t size, std::uint32_t value) {
  for (std::size_t i = size; i-- > 0; value /= 256) {
    octets.at(at + i) = static_cast<std::uint8_t>(value % 256);
  }
}

// RFC 1071's sum, one byte after the other.
inline std::uint32_t reference_sum(const Octets& octets, std::size_t from, std::size_t to,
                                   std::uint32_t start = 0) {
  std::uint32_t total = start;
  for (std::size_t i = from; i < to; ++i) {
    total += (i - from) % 2 == 0 ? octets.at(i) * 256U : octets.at(i);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

// What a frame is made of, and then where its parts are.
struct Frame {
  std::size_t vlan_tags = 0;
  bool v6 = false;
  std::size_t ip_options = 0;  // IPv4: bytes, a multiple of 4
  Octets extensions{};         // IPv6: their protocol numbers
  std::uint8_t protocol = 6;
  std::size_t tcp_options = 0;  // bytes, a multiple of 4
  std::size_t payload_size = 0;
  std::size_t padding = 0;

  Octets octets{};
  std::size_t network = 0, transport = 0, payload = 0, end = 0;

  std::size_t checksum() const { return transport + (protocol == 6 ? 16 : protocol == 17 ? 6 : 2); }
};

inline std::uint32_t reference_pseudo_sum(const Frame& frame, const Octets& octets) {
  Octets pseudo(octets.begin() + static_cast<std::ptrdiff_t>(frame.network + (frame.v6 ? 8 : 12)),
                octets.begin() + static_cast<std::ptrdiff_t>(frame.network + (frame.v6 ? 40 : 20)));
  pseudo.resize(pseudo.size() + 8);
  const std::size_t end = octets.size() - frame.padding;
  put(pseudo, pseudo.size() - 8, 4, static_cast<std::uint32_t>(end - frame.transport));
  put(pseudo, pseudo.size() - 4, 4, frame.protocol);
  return reference_sum(pseudo, 0, pseudo.size());
}

// Of any frame with the same headers as `frame`, its padding included.
inline bool reference_checksum_is_right(const Frame& frame, const Octets& octets) {
  return reference_sum(octets, frame.transport, octets.size() - frame.padding,
                       reference_pseudo_sum(frame, octets)) == 0xffff;
}

inline void append_random(Octets& octets, std::size_t count, Random& random) {
  for (std::size_t i = 0; i < count; ++i) octets.push_back(static_cast<std::uint8_t>(random()));
}

// Everything random but what a header needs to be one; the checksum field holds the pseudo-header's
// sum, as a sender leaves it. IPv4's own checksum is left random.
inline Frame build(Frame frame, Random& random) {
  Octets& o = frame.octets;
  append_random(o, 12, random);
  for (std::size_t i = 0; i < frame.vlan_tags; ++i) {
    append_random(o, 4, random);
    put(o, o.size() - 4, 2, i + 1 < frame.vlan_tags ? 0x88a8 : 0x8100);
  }
  append_random(o, 2, random);
  put(o, o.size() - 2, 2, frame.v6 ? 0x86dd : 0x0800);

  frame.network = o.size();
  append_random(o, frame.v6 ? 40 : 20 + frame.ip_options, random);
  std::size_t next = frame.network + (frame.v6 ? 6 : 9);
  for (const std::uint8_t extension : frame.extensions) {
    const std::size_t at = o.size();
    const std::size_t length = extension == 44 ? 8 : 8 * (1 + below(random, 4));
    append_random(o, length, random);
    put(o, next, 1, extension);
    put(o, at + 1, 1,
        static_cast<std::uint32_t>(extension == 51 ? length / 4 - 2 : length / 8 - 1));
    if (extension == 44) put(o, at + 2, 2, 0);  // atomic
    next = at;
  }
  put(o, next, 1, frame.protocol);

  frame.transport = o.size();
  append_random(o, frame.protocol == 6 ? 20 + frame.tcp_options : 8, random);
  frame.payload = o.size();
  append_random(o, frame.payload_size, random);
  frame.end = o.size();
  append_random(o, frame.padding, random);

  const auto length = static_cast<std::uint32_t>(frame.end - frame.network);
  if (frame.v6) {
    put(o, frame.network, 1, 0x60);
    put(o, frame.network + 4, 2, length - 40);
  } else {
    put(o, frame.network, 1, static_cast<std::uint32_t>(0x40 + 5 + frame.ip_options / 4));
    put(o, frame.network + 2, 2, length);
    put(o, frame.network + 6, 2, 0x4000);  // don't fragment
  }
  if (frame.protocol == 6) {
    put(o, frame.transport + 12, 1, static_cast<std::uint32_t>((5 + frame.tcp_options / 4) * 16));
  }
  if (frame.protocol == 17) {
    put(o, frame.transport + 4, 2, static_cast<std::uint32_t>(frame.end - frame.transport));
  }
  put(o, frame.checksum(), 2, reference_pseudo_sum(frame, o));
  return frame;
}

// Any kind of frame, of the given protocol (58 is IPv6's only).
inline Frame random_frame(Random& random, std::uint8_t protocol, std::size_t max_payload) {
  constexpr std::uint8_t kinds[] = {0, 43, 44, 51, 60};
  Frame frame;
  frame.protocol = protocol;
  frame.vlan_tags = below(random, 3);
  frame.v6 = protocol == 58 || below(random, 2) == 0;
  if (frame.v6) {
    for (std::size_t i = below(random, 5); i > 0; --i) {
      frame.extensions.push_back(kinds[below(random, std::size(kinds))]);
    }
  } else {
    frame.ip_options = 4 * below(random, 11);
  }
  frame.tcp_options = 4 * below(random, 11);
  frame.payload_size = below(random, max_payload + 1);
  frame.padding = below(random, 3) == 0 ? below(random, 50) : 0;
  return build(frame, random);
}

// Makes a few bytes behind the addresses random.
inline void break_headers(Frame& frame, Random& random) {
  for (std::size_t i = 1 + below(random, 4); i > 0; --i) {
    const std::size_t at = 12 + below(random, frame.payload - 12);
    frame.octets[at] = static_cast<std::uint8_t>(random());
  }
}

// A copy of a frame's first bytes in an allocation of exactly that size, so that AddressSanitizer
// sees any read past it.
class Exactly {
 public:
  Exactly(std::span<const std::byte> from, std::size_t size)
      : memory_(std::make_unique<std::byte[]>(size)), size_(size) {
    if (size > 0) std::memcpy(memory_.get(), from.data(), size);
  }
  std::span<std::byte> span() const { return {memory_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_;
};

}  // namespace ringback::net::test
