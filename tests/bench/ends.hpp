// What a frame of a kernel's peer goes into and comes out of: a tap, a packet socket, a VDE switch.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "frontend/pktgen/frames.hpp"
#include "net/vnet_header.hpp"

namespace ringback::bench {

// A place for one frame, with its vnet_hdr.
struct Place {
  net::VnetHeader header;
  std::vector<std::byte> bytes = std::vector<std::byte>(frontend::longest_frame + 1);
  std::size_t size = 0;
};

class End {
 public:
  virtual ~End() = default;
  // How many of them it took, from the first on. May wait a while.
  virtual std::size_t send(std::span<Place> frames) = 0;
  // How many have come. Waits for at most some milliseconds.
  virtual std::size_t receive(std::span<Place> frames) = 0;
};

// what: "tap:NAME" (persistent, or made here), "packet:DEVICE" or "vde:FOLDER". Throws
// std::runtime_error.
std::unique_ptr<End> open_end(const std::string& what);

}  // namespace ringback::bench
