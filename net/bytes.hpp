// Numbers in network byte order, at any alignment. Bounds are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringback::net {

inline std::uint8_t load8(std::span<const std::byte> bytes, std::size_t at) {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

inline std::uint16_t load16(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(load8(bytes, at) << 8 | load8(bytes, at + 1));
}

inline std::uint32_t load32(std::span<const std::byte> bytes, std::size_t at) {
  return std::uint32_t{load16(bytes, at)} << 16 | load16(bytes, at + 2);
}

inline void store16(std::span<std::byte> bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value & 0xff);
}

inline void store32(std::span<std::byte> bytes, std::size_t at, std::uint32_t value) {
  store16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  store16(bytes, at + 2, static_cast<std::uint16_t>(value & 0xffff));
}

}  // namespace ringback::net
