// A network device that is taken by AF_XDP (xdp_socket.hpp). As long as this lives it hears frames
// for all addresses, as its guests have their own; and it leaves VLAN tags in the frames
// (rx-vlan-offload is off, and stays so).
#pragma once

#include <cstdint>
#include <string>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/result.hpp"

namespace ringback::hypervisor {

class XdpDevice {
 public:
  // An Error if there is no such device, or it keeps its tags to itself, or without the right
  // (CAP_NET_ADMIN, CAP_NET_RAW).
  static Result<XdpDevice> open(const std::string& name);

  const std::string& name() const { return name_; }
  std::uint32_t receive_queues() const { return receive_queues_; }
  std::uint32_t send_queues() const { return send_queues_; }
  // False once somebody has deleted it, or another has its name.
  bool exists() const;

 private:
  XdpDevice(std::string name, unsigned index, Descriptor listener)
      : name_(std::move(name)), index_(index), listener_(std::move(listener)) {}

  std::string name_;
  unsigned index_;
  Descriptor listener_;  // the kernel lets go of the device with it
  std::uint32_t receive_queues_ = 0;
  std::uint32_t send_queues_ = 0;
};

}  // namespace ringback::hypervisor
