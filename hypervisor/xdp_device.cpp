#include "hypervisor/xdp_device.hpp"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <filesystem>

namespace ringback::hypervisor {
namespace {

std::uint32_t count_queues(const std::string& device, const char* kind) {
  std::error_code error;
  std::uint32_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/sys/class/net/" + device + "/queues", error))
    count += entry.path().filename().string().starts_with(kind) ? 1 : 0;
  return count;
}

// A device that takes the tags out gives them beside the frame, where AF_XDP does not see them.
bool leaves_tags(int socket, const std::string& device) {
  ethtool_value flags{};
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&flags);
  const auto ask = [&](std::uint32_t command) {
    flags.cmd = command;
    return ioctl(socket, SIOCETHTOOL, &request) == 0;
  };
  if (!ask(ETHTOOL_GFLAGS) || (flags.data & ETH_FLAG_RXVLAN) == 0) return true;
  flags.data &= ~static_cast<std::uint32_t>(ETH_FLAG_RXVLAN);
  return ask(ETHTOOL_SFLAGS) && ask(ETHTOOL_GFLAGS) && (flags.data & ETH_FLAG_RXVLAN) == 0;
}

}  // namespace

Result<XdpDevice> XdpDevice::open(const std::string& name) {
  const unsigned index = name.size() < IFNAMSIZ ? if_nametoindex(name.c_str()) : 0;
  if (index == 0) return failure(ENODEV, fmt::format("there is no network device '{}'", name));
  // Protocol 0: it gets no frame itself.
  Descriptor listener(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  packet_mreq all{};
  all.mr_ifindex = static_cast<int>(index);
  all.mr_type = PACKET_MR_PROMISC;
  if (!listener ||
      setsockopt(listener.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0)
    return system_failure(fmt::format("{} can't be made to hear all addresses", name));
  if (!leaves_tags(listener.get(), name))
    return failure(
        EOPNOTSUPP,
        fmt::format("{} takes VLAN tags out of frames: ethtool -K {} rxvlan off", name, name));
  XdpDevice device(name, index, std::move(listener));
  device.receive_queues_ = count_queues(name, "rx-");
  device.send_queues_ = count_queues(name, "tx-");
  if (device.receive_queues_ == 0)
    return failure(ENOENT, fmt::format("the queues of {} are not to be seen in /sys/class/net (is "
                                       "/sys of another network namespace?)",
                                       name));
  return device;
}

bool XdpDevice::exists() const {
  return if_nametoindex(name_.c_str()) == index_;
}

}  // namespace ringback::hypervisor
