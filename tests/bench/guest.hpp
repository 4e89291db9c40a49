// A guest that sends one frame again and again and takes what comes, as cheaply as the protocol
// allows: what is measured is what is between two of them. It polls, and asks for no event; it
// sends one where the backend asks for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "hypervisor/event_channels.hpp"
#include "hypervisor/grants.hpp"
#include "ring/netif.hpp"
#include "ring/rx_plan.hpp"

namespace ringback::bench {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Opens handles as another domain of the embedded hypervisor than this process runs in.
class AsDomain {
 public:
  explicit AsDomain(hypervisor::DomainId domain) {
    const char* const own = std::getenv("RINGBACK_HYPERVISOR");
    own_ = own == nullptr ? "" : own;
    const std::string here = "/domain-0/";
    const auto at = own_.find(here);
    if (at == std::string::npos) throw std::runtime_error("not in domain 0 (one_core.sh)");
    std::string path = own_;
    path.replace(at, here.size(), "/domain-" + std::to_string(domain) + "/");
    setenv("RINGBACK_HYPERVISOR", path.c_str(), 1);
  }
  ~AsDomain() { setenv("RINGBACK_HYPERVISOR", own_.c_str(), 1); }
  AsDomain(const AsDomain&) = delete;
  AsDomain& operator=(const AsDomain&) = delete;

 private:
  std::string own_;
};

using Mac = std::array<std::uint8_t, 6>;
inline Mac mac_of(std::uint32_t number) {
  const auto byte = [number](int place) { return static_cast<std::uint8_t>(number >> 8 * place); };
  return {0x00, 0x16, 0x3e, byte(2), byte(1), byte(0)};
}
inline constexpr Mac broadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

class Guest {
 public:
  static constexpr std::uint32_t page_count = 256;

  // number: of its address.
  Guest(hypervisor::DomainId id, std::uint32_t number) : Guest(id, number, AsDomain(id)) {}
  explicit Guest(hypervisor::DomainId id) : Guest(id, id) {}

  // What send() sends from now on.
  void prepare(std::size_t size, const Mac& to) {
    size_ = size;
    pieces_ = static_cast<ring::Index>((size + ring::page_size - 1) / ring::page_size);
    const Mac from = mac_of(number_);
    for (std::uint32_t p = 0; p < page_count; ++p) {
      auto* const bytes = reinterpret_cast<std::uint8_t*>(tx_pages.page(p).data());
      std::copy(to.begin(), to.end(), bytes);
      std::copy(from.begin(), from.end(), bytes + 6);
      bytes[12] = 0x88;  // an experimental EtherType (IEEE 802)
      bytes[13] = 0xb5;
    }
  }
  // From so many addresses, of which its own is the first, to as many, of the numbers from `to` on;
  // one after the other, each frame with the next.
  void prepare(std::size_t size, std::uint32_t to, std::uint32_t addresses) {
    prepare(size, mac_of(to));
    to_ = to;
    addresses_ = addresses;
  }

  // Whether the ring has room for so many frames.
  bool has_room(std::size_t count) const { return tx.free() >= count * pieces_; }
  // So many frames, as far as the ring has room; returns how many.
  std::size_t send(std::size_t count) {
    std::size_t sent = 0;
    for (; sent < count && tx.free() >= pieces_; ++sent) put_frame();
    if (tx.publish()) events->notify(channel);
    return sent;
  }
  void take_answers() {
    const auto ready = tx.unconsumed();
    if (!ready) throw std::runtime_error("the backend lies in the tx ring");
    tx.consume(*ready);
  }
  // Takes what has come, reads the first `most` bytes of each frame, as applications do, and posts
  // its buffers again; returns how many frames.
  std::size_t receive(std::size_t most = 0) {
    const auto ready = rx.unconsumed();
    if (!ready) throw std::runtime_error("the backend lies in the rx ring");
    std::size_t frames = 0;
    rx.responses(std::span(responses_).first(*ready));
    for (ring::Index i = 0; i < *ready; ++i) {
      const ring::RxResponse& response = responses_[i];
      if (response.status < 0) throw std::runtime_error("the backend reports an error");
      if (most > 0) read(response, (rx.next_response() + i) % page_count, most);
      if ((response.flags & NETRXF_more_data) == 0) ++frames;
    }
    rx.consume(*ready);
    post();
    return frames;
  }

  // Writes the first `most` bytes of the next frames to be sent, but for their Ethernet headers.
  void write_payload(std::size_t frames, std::size_t most) {
    for (ring::Index i = 0; i < frames * pieces_; ++i) {
      auto* const bytes = tx_pages.page((next_tx_ + i) % page_count).data();
      const std::size_t begins = i % pieces_ * ring::page_size;  // in its frame
      const std::size_t ends = std::min({begins + ring::page_size, size_, most});
      if (begins < ends)
        std::fill(bytes + (begins == 0 ? 14 : 0), bytes + (ends - begins),
                  static_cast<std::byte>(next_tx_));
    }
  }

  std::uint64_t sum = 0;  // of all words read, so that they are

  const hypervisor::DomainId domain;
  std::unique_ptr<hypervisor::GrantSharer> sharer;
  std::unique_ptr<hypervisor::EventChannels> events;
  hypervisor::SharedPages rings, tx_pages, rx_pages;
  ring::TxFrontRing tx;
  ring::RxFrontRing rx;
  hypervisor::Port channel;

 private:
  Guest(hypervisor::DomainId id, std::uint32_t number, const AsDomain&)
      : domain(id),
        sharer(must(hypervisor::open_grant_sharer())),
        events(must(hypervisor::open_event_channels())),
        rings(must(sharer->share(0, 2, hypervisor::Access::read_write))),
        tx_pages(must(sharer->share(0, page_count, hypervisor::Access::read_only))),
        rx_pages(must(sharer->share(0, page_count, hypervisor::Access::read_write))),
        tx(ring::TxFrontRing::initialise(rings.page(0))),
        rx(ring::RxFrontRing::initialise(rings.page(1))),
        channel(must(events->bind_unbound(0))),
        number_(number) {
    post();
  }

  void put_frame() {
    std::size_t left = size_;
    for (ring::Index i = 0; i < pieces_; ++i) {
      const std::uint32_t page = next_tx_++ % page_count;
      if (i == 0 && addresses_ > 1) address(tx_pages.page(page).data());
      const std::size_t piece = std::min<std::size_t>(left, ring::page_size);
      left -= piece;
      ring::TxRequest request{};
      request.gref = tx_pages.refs()[page];
      request.flags = left > 0 ? NETTXF_more_data : 0;
      request.id = static_cast<std::uint16_t>(page);
      // The first one has the whole frame's size (netif.h).
      request.size = static_cast<std::uint16_t>(i == 0 ? size_ : piece);
      tx.put(request);
    }
  }
  void address(std::byte* frame) {
    // Not one after the other in memory: that would be fetched before it is asked for.
    constexpr std::uint32_t prime = 40503;
    if ((next_address_ += prime % addresses_) >= addresses_) next_address_ -= addresses_;
    const Mac to = mac_of(to_ + next_address_);
    const Mac from = mac_of(number_ + next_address_);
    std::memcpy(frame, to.data(), to.size());
    std::memcpy(frame + to.size(), from.data(), from.size());
  }
  void read(const ring::RxResponse& response, std::uint32_t page, std::size_t most) {
    const auto size = static_cast<std::size_t>(response.status);
    const std::size_t wanted = std::min(size, most - std::min(most, read_of_frame_));
    const std::byte* const bytes = rx_pages.page(page).data();
    for (std::size_t at = 0; at + 8 <= wanted; at += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes + at, sizeof word);
      sum += word;
    }
    read_of_frame_ = (response.flags & NETRXF_more_data) != 0 ? read_of_frame_ + size : 0;
  }
  void post() {
    const std::span<const hypervisor::GrantRef> refs = rx_pages.refs();
    const ring::Index count = rx.free();
    rx.put(count, [&](ring::Index i) {
      const std::uint32_t page = (next_rx_ + i) % page_count;
      return ring::RxRequest{.id = static_cast<std::uint16_t>(page), .pad = 0, .gref = refs[page]};
    });
    next_rx_ += count;
    if (rx.publish()) events->notify(channel);
  }

  const std::uint32_t number_;
  std::uint32_t to_ = 0;
  std::uint32_t addresses_ = 1;
  std::uint32_t next_address_ = 0;
  std::size_t size_ = 0;
  ring::Index pieces_ = 1;
  std::uint32_t next_tx_ = 0;
  std::uint32_t next_rx_ = 0;
  std::array<ring::RxResponse, page_count> responses_;
  std::size_t read_of_frame_ = 0;  // bytes, of the one that receive() is in
};

}  // namespace ringback::bench
