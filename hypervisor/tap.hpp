// A Linux tap: a network device whose other side is this process. Frames carry a vnet_hdr
// (net/vnet_header.hpp) in front. Opened in the network namespace of the calling thread. The device
// vanishes with its last queue, unless it is persistent.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/result.hpp"
#include "net/offload.hpp"

namespace ringback::hypervisor {

class Tap {
 public:
  // A tap of that name that is there already.
  enum class Existing { taken_over, refused };

  // name: at most 15 characters. queues: 1..256 descriptors, non-blocking, each may be used by one
  // thread. The kernel spreads flows over the active ones. A persistent tap is taken over with its
  // addresses, its bridge and its MTU, or refused. A name that another kind of device has is an
  // error, as is missing permission (CAP_NET_ADMIN).
  static Result<Tap> open(const std::string& name, std::size_t queues,
                          Existing existing = Existing::taken_over);

  const std::string& name() const { return name_; }
  int queue(std::size_t i) const { return queues_[i].get(); }
  std::size_t queue_count() const { return queues_.size(); }

  // The first `count` queues get frames from now on; until then one does.
  Result<void> set_active_queues(std::size_t count);

  // What this process takes from the kernel unfinished: partial checksums, and GSO frames of up to
  // 64 KiB. Needs checksum for gso, and both families' checksums (the kernel knows one flag for
  // both).
  Result<void> set_offload(const net::Abilities& abilities);
  Result<void> set_mac(const std::array<std::uint8_t, 6>& mac);
  Result<void> set_mtu(std::uint32_t mtu);
  // Whether the device stays when its queues are closed.
  Result<void> set_persistent(bool on);
  // False once somebody has deleted the device.
  bool exists() const;
  // Whether the cable is in: `ip link` shows NO-CARRIER without.
  Result<void> set_carrier(bool on);

 private:
  Tap(std::string name, std::vector<Descriptor> queues)
      : name_(std::move(name)), queues_(std::move(queues)), active_(queues_.size()) {}
  std::string name_;
  std::vector<Descriptor> queues_;
  std::size_t active_;
};

}  // namespace ringback::hypervisor
