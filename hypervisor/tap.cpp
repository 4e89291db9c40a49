#include "hypervisor/tap.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
#include <cstring>

namespace ringback::hypervisor {
namespace {

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::copy_n(name.data(), std::min(name.size(), sizeof request.ifr_name - 1), request.ifr_name);
  return request;
}

Result<void> device_ioctl(unsigned long command, ifreq& request, const std::string& what) {
  const Descriptor control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control || ioctl(control.get(), command, &request) != 0) return system_failure(what);
  return {};
}

Result<Descriptor> open_queue(const std::string& name, int flags) {
  Descriptor queue(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!queue) {
    const int code = errno;
    return system_failure(
        "cannot open /dev/net/tun (is the tun module loaded, and is this run as root?)", code);
  }
  ifreq request = request_for(name);
  request.ifr_flags =
      static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | flags);
  if (ioctl(queue.get(), TUNSETIFF, &request) != 0) {
    const int code = errno;
    const char* hint =
        code == EPERM    ? " (it takes root, or CAP_NET_ADMIN in this network namespace)"
        : code == EBUSY  ? " (another program has a device of this name: rename or remove it)"
        : code == EINVAL ? " (a device of this name and another kind exists)"
                         : "";
    return system_failure(fmt::format("cannot make the tap {}{}", name, hint), code);
  }
  return queue;
}

// Frames go to the first queue alone, or are spread again. The kernel counts a queue before the
// device has it, and a frame that it picks that one for meanwhile is worth a warning in its log
// ("selects TX queue"): so none is to be picked while the number changes. Without the right to load
// a program (CAP_BPF) there may be that warning.
void steer_to_first(const Descriptor& queue, bool all) {
  const std::array<bpf_insn, 2> zero = {{
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  }};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  load.insn_cnt = zero.size();
  load.insns = reinterpret_cast<std::uintptr_t>(zero.data());
  load.license = reinterpret_cast<std::uintptr_t>("MIT");
  const Descriptor program(
      all ? static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)) : -1);
  int number = program.get();
  if (all == static_cast<bool>(program)) ioctl(queue.get(), TUNSETSTEERINGEBPF, &number);
}

}  // namespace

Result<Tap> Tap::open(const std::string& name, std::size_t queues, Existing existing) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    return failure(EINVAL, fmt::format("a network device's name has 1 to {} characters: \"{}\"",
                                       IFNAMSIZ - 1, name));
  std::vector<Descriptor> descriptors;
  for (std::size_t i = 0; i < queues; ++i) {
    const bool makes_it = i == 0 && existing == Existing::refused;
    auto queue = open_queue(name, makes_it ? IFF_TUN_EXCL : 0);
    if (!queue) return tl::unexpected(queue.error());
    descriptors.push_back(std::move(*queue));
    if (i == 0 && queues > 1) steer_to_first(descriptors.front(), true);
  }
  return Tap(name, std::move(descriptors));
}

Result<void> Tap::set_active_queues(std::size_t count) {
  if (queues_.size() == 1) return {};
  steer_to_first(queues_.front(), true);
  for (; active_ != count; active_ = active_ < count ? active_ + 1 : active_ - 1) {
    const bool attach = active_ < count;
    ifreq request{};
    request.ifr_flags = static_cast<short>(attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
    if (ioctl(queues_[attach ? active_ : active_ - 1].get(), TUNSETQUEUE, &request) != 0)
      return system_failure(fmt::format("cannot set the queues of {} to {}", name_, count));
  }
  steer_to_first(queues_.front(), false);
  return {};
}

Result<void> Tap::set_offload(const net::Abilities& abilities) {
  unsigned flags = 0;
  if (abilities.checksum_v4 && abilities.checksum_v6) {
    flags |= TUN_F_CSUM;
    if (abilities.gso_v4) flags |= TUN_F_TSO4;
    if (abilities.gso_v6) flags |= TUN_F_TSO6;
    if (abilities.gso_v4 || abilities.gso_v6) flags |= TUN_F_TSO_ECN;
  }
  if (ioctl(queues_.front().get(), TUNSETOFFLOAD, flags) != 0)
    return system_failure(fmt::format("cannot set the offloads of {}", name_));
  return {};
}

Result<void> Tap::set_mac(const std::array<std::uint8_t, 6>& mac) {
  ifreq request = request_for(name_);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
  return device_ioctl(SIOCSIFHWADDR, request,
                      fmt::format("cannot set the MAC address of {}", name_));
}

Result<void> Tap::set_mtu(std::uint32_t mtu) {
  ifreq request = request_for(name_);
  request.ifr_mtu = static_cast<int>(mtu);
  return device_ioctl(SIOCSIFMTU, request,
                      fmt::format("cannot set the MTU of {} to {}", name_, mtu));
}

Result<void> Tap::set_persistent(bool on) {
  if (ioctl(queues_.front().get(), TUNSETPERSIST, on ? 1 : 0) != 0)
    return system_failure(fmt::format("cannot make {} {}", name_, on ? "persistent" : "vanish"));
  return {};
}

bool Tap::exists() const {
  ifreq request{};
  return ioctl(queues_.front().get(), TUNGETIFF, &request) == 0;
}

Result<void> Tap::set_carrier(bool on) {
  int carrier = on ? 1 : 0;
  if (ioctl(queues_.front().get(), TUNSETCARRIER, &carrier) != 0)
    return system_failure(fmt::format("cannot set the carrier of {}", name_));
  return {};
}

}  // namespace ringback::hypervisor
