// A guest for the backend's tests: one queue's frontend on a simulated hypervisor. It plays by the
// rules unless told otherwise.
#pragma once

#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "backend/queue.hpp"
#include "hypervisor/simulated.hpp"
#include "net/checksum.hpp"
#include "ring/rx_chain.hpp"
#include "ring/tx_plan.hpp"

namespace ringback::backend {

using Bytes = std::vector<std::byte>;

class TestGuest {
 public:
  TestGuest(hypervisor::Simulated& world, hypervisor::DomainId domain, std::size_t buffers = 256)
      : id(domain),
        sharer(world.grant_sharer(domain)),
        events(world.event_channels(domain)),
        rings(sharer->share(0, 2, hypervisor::Access::read_write).value()),
        tx_pages(sharer->share(0, 256, hypervisor::Access::read_only).value()),
        rx_pages(sharer->share(0, 256, hypervisor::Access::read_write).value()),
        tx(ring::TxFrontRing::initialise(rings.page(0))),
        rx(ring::RxFrontRing::initialise(rings.page(1))),
        tx_port(events->bind_unbound(0).value()),
        rx_port(events->bind_unbound(0).value()) {
    post(buffers);
  }

  Queue::Config config(net::Abilities abilities = all()) const {
    return {.guest = id,
            .index = 0,
            .keys = {rings.refs()[0], rings.refs()[1], tx_port, rx_port},
            .abilities = abilities};
  }
  static net::Abilities all() { return {true, true, true, true, true}; }

  // Posts rx buffers, each id being its page.
  void post(std::size_t count) {
    for (std::size_t i = 0; i < count && rx.free() > 0; ++i) {
      const auto page = static_cast<std::uint16_t>(next_page++ % 256);
      posted.push_back(page);
      rx.put({.id = page, .pad = 0, .gref = rx_pages.refs()[page]});
    }
    rx.publish();
  }

  // Sends a frame in pieces of at most `piece` bytes.
  void send(const Bytes& frame, const net::Offload& offload = {},
            std::size_t piece = ring::page_size) {
    std::vector<ring::Piece> pieces;
    for (std::size_t at = 0; at < frame.size();) {
      const auto size = std::min(piece, frame.size() - at);
      const auto page = next_tx_page++ % 256;
      std::memcpy(tx_pages.page(page).data(), frame.data() + at, size);
      pieces.push_back({tx_pages.refs()[page], 0, static_cast<std::uint16_t>(size)});
      at += size;
    }
    send(pieces, offload);
  }
  // Sends a frame as Linux does one with 66 bytes of headers: these from somewhere in a page, then
  // whole pages.
  void send_like_linux(const Bytes& frame) {
    std::vector<ring::Piece> pieces;
    std::uint16_t offset = 130;
    for (std::size_t at = 0; at < frame.size(); offset = 0) {
      const auto size = std::min<std::size_t>(at == 0 ? 66 : ring::page_size, frame.size() - at);
      const auto page = next_tx_page++ % 256;
      std::memcpy(tx_pages.page(page).data() + offset, frame.data() + at, size);
      pieces.push_back({tx_pages.refs()[page], offset, static_cast<std::uint16_t>(size)});
      at += size;
    }
    send(pieces);
  }
  // Whether the backend asked to be told of the next request.
  bool is_awaited() {
    tx.put({});
    return tx.publish();
  }
  void send(const std::vector<ring::Piece>& pieces, const net::Offload& offload = {}) {
    std::vector<std::uint16_t> ids;
    for (std::size_t i = 0; i <= pieces.size(); ++i) ids.push_back(next_id++);
    const auto plan = ring::plan_tx(pieces, offload, ids);
    for (const auto& request : plan.view()) tx.put(request);
    tx.publish();
  }

  std::vector<ring::TxResponse> tx_responses() {
    std::vector<ring::TxResponse> all_of_them;
    for (auto n = tx.unconsumed().value(); n > 0; --n) {
      all_of_them.push_back(tx.response());
      tx.consume(1);
    }
    return all_of_them;
  }

  struct Received {
    Bytes bytes;
    net::Offload offload;
  };
  // What the backend put on the rx ring since the last time; its buffers are not posted again.
  std::vector<Received> receive() {
    std::vector<Received> frames;
    while (const auto ready = rx.unconsumed().value()) {
      std::vector<ring::RxResponse> responses;
      for (ring::Index i = 0; i < ready; ++i) responses.push_back(rx.response(i));
      const std::vector<std::uint16_t> ids(posted.begin(), posted.begin() + ready);
      const auto chain = ring::read_rx_chain(responses, ids);
      if (chain.verdict != ring::RxVerdict::frame) return frames;
      Received frame{{}, chain.offload};
      for (const auto& part : chain.view()) {
        const auto page = rx_pages.page(ids[part.slot]).subspan(part.offset, part.size);
        frame.bytes.insert(frame.bytes.end(), page.begin(), page.end());
      }
      frames.push_back(std::move(frame));
      rx.consume(chain.slots);
      posted.erase(posted.begin(), posted.begin() + chain.slots);
    }
    return frames;
  }

  hypervisor::DomainId id;
  std::unique_ptr<hypervisor::GrantSharer> sharer;
  std::unique_ptr<hypervisor::EventChannels> events;
  hypervisor::SharedPages rings, tx_pages, rx_pages;
  ring::TxFrontRing tx;
  ring::RxFrontRing rx;
  hypervisor::Port tx_port, rx_port;
  std::deque<std::uint16_t> posted;
  std::size_t next_page = 0;
  std::size_t next_tx_page = 0;
  std::uint16_t next_id = 100;
};

// One guest and a backend's handles.
struct GuestWorld {
  explicit GuestWorld(std::size_t buffers = 256) : guest(hypervisor, 1, buffers) {}

  hypervisor::Simulated hypervisor;
  TestGuest guest;
  std::unique_ptr<hypervisor::EventChannels> events = hypervisor.event_channels(0);
  std::unique_ptr<hypervisor::GrantUser> grants = hypervisor.grant_user(0);
  std::unique_ptr<hypervisor::Io> io = std::move(*hypervisor::Io::open());
  Copier copier{*grants, *io};
};

// A frame from `source` to `destination` (last bytes of their MACs) with a recognisable payload.
inline Bytes test_frame(std::uint8_t destination, std::uint8_t source, std::size_t size,
                        std::uint8_t seed = 0) {
  Bytes frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::byte>(i * 7 + seed);
  const std::byte oui[] = {std::byte{0x00}, std::byte{0x16}, std::byte{0x3e}, std::byte{0},
                           std::byte{0}};
  std::copy_n(oui, 5, frame.begin());
  std::copy_n(oui, 5, frame.begin() + 6);
  if (destination == 0xff) std::fill_n(frame.begin(), 6, std::byte{0xff});
  frame[5] = std::byte{destination};
  frame[11] = std::byte{source};
  frame[12] = std::byte{0x88};  // no IP: an experimental EtherType (IEEE 802)
  frame[13] = std::byte{0xb5};
  return frame;
}

// An IPv4 TCP frame whose checksum is partial.
inline Bytes tcp_frame(std::size_t payload) {
  Bytes frame(54 + payload);
  const auto set16 = [&](std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value);
  };
  set16(12, 0x0800);
  frame[14] = std::byte{0x45};
  set16(16, 40 + payload);
  frame[22] = std::byte{64};
  frame[23] = std::byte{6};
  for (std::size_t i = 26; i < 34; ++i) frame[i] = static_cast<std::byte>(i);
  set16(24, static_cast<std::uint16_t>(~net::sum(std::span(frame).subspan(14, 20))));
  set16(34, 1000);
  set16(36, 2000);
  frame[46] = std::byte{0x50};
  frame[47] = std::byte{0x10};
  for (std::size_t i = 0; i < payload; ++i) frame[54 + i] = static_cast<std::byte>(i * 13);
  const auto headers = net::parse_headers(frame, frame.size()).value();
  set16(50, net::pseudo_header_sum(frame, headers, static_cast<std::uint32_t>(20 + payload)));
  return frame;
}

}  // namespace ringback::backend
