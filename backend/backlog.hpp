// Frames that wait for a guest, in order, in memory that is bounded and allocated once, when the
// first one has to wait (XSA-392 is about a backlog without a bound). Not thread-safe.
//
//   |      | oldest frame | frame | frame |          |      a ring of bytes; no frame wraps
//            ^ head                       ^ tail
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/offload.hpp"

namespace ringback::backend {

class Backlog {
 public:
  static constexpr std::size_t byte_limit = 2 << 20;
  static constexpr std::size_t frame_limit = 4096;

  struct Entry {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    net::Offload offload;
  };

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }

  // Room for a frame at the end, which push() then adds; empty if there is none.
  std::span<std::byte> reserve(std::size_t size) {
    if (bytes_.empty()) {
      bytes_.resize(byte_limit);
      entries_.resize(frame_limit);
    }
    if (count_ == frame_limit) return {};
    if (count_ == 0) head_ = tail_ = 0;
    const bool wrapped = count_ > 0 && tail_ <= head_;
    if (!wrapped && byte_limit - tail_ < size) {
      if (size > head_) return {};
      tail_ = 0;
    } else if (wrapped && head_ - tail_ < size) {
      return {};
    }
    return std::span(bytes_).subspan(tail_, size);
  }
  void push(std::span<const std::byte> reserved, const net::Offload& offload) {
    entries_[(first_ + count_++) % frame_limit] = {
        static_cast<std::uint32_t>(tail_), static_cast<std::uint32_t>(reserved.size()), offload};
    tail_ += reserved.size();
  }

  // The frame that is i places behind the oldest.
  const Entry& entry(std::size_t i) const { return entries_[(first_ + i) % frame_limit]; }
  std::span<std::byte> bytes(std::size_t i) {
    return std::span(bytes_).subspan(entry(i).offset, entry(i).size);
  }

  void pop(std::size_t frames) {
    first_ = (first_ + frames) % frame_limit;
    count_ -= frames;
    if (count_ > 0) head_ = entry(0).offset;
  }

 private:
  std::vector<std::byte> bytes_;
  std::vector<Entry> entries_;
  std::size_t first_ = 0;  // of entries_
  std::size_t count_ = 0;
  std::size_t head_ = 0;  // of bytes_: where the oldest frame starts
  std::size_t tail_ = 0;  // and where the next one can
};

}  // namespace ringback::backend
