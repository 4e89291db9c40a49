#include "backend/switch/named_switches.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "xenstore/key_reader.hpp"

namespace ringback::backend {

namespace {

// As much of the switch's name as a device's can have; which one it is the alias tells.
std::string uplink_name(const std::string& of) {
  std::string name = "up-" + of;
  if (name.size() < IFNAMSIZ) return name;
  return fmt::format("{}-{:04x}", name.substr(0, IFNAMSIZ - 6),
                     std::hash<std::string>()(of) & 0xffff);
}

}  // namespace

std::shared_ptr<SoftwareSwitch> NamedSwitches::get(const std::string& name) {
  if (const auto known = switches_.find(name); known != switches_.end())
    return known->second.network;
  Switch& made = switches_[name];
  made.network = std::make_shared<SoftwareSwitch>(name, [this] {
    for (const auto& worker : workers_) worker->call({});
  });
  follow_policy(name, made);
  spdlog::info("switch {}: made, with{} an uplink", name, made.uplink ? "" : "out");
  return made.network;
}

void NamedSwitches::end_uplink(Switch& of) {
  if (!of.uplink) return;
  of.uplink->end();
  of.uplink->add_to(of.former);
  of.uplink.reset();
}

void NamedSwitches::follow_policy(const std::string& name, Switch& of) {
  const std::string directory = keys_ + "/" + xenstore::directory_of(name);
  const auto applied = xenstore::read_directory(store_, directory)
                           .and_then(xenstore::parse_switch_policy)
                           .and_then([&](const auto& policy) { return apply(policy, name, of); });
  const std::string refusal = applied ? "" : applied.error().what;
  if (refusal == of.refusal) return;
  of.refusal = refusal;
  // In a driver domain the directory may be dom0's alone to write.
  if (refusal.empty()) {
    [[maybe_unused]] const auto removed = store_.remove(directory + "/error");
    return;
  }
  spdlog::error("switch {}: {} ({})", name, refusal,
                of.uplink ? "what was in force before stays so" : "it has no uplink");
  [[maybe_unused]] const auto written = store_.write(directory + "/error", refusal);
}

void NamedSwitches::follow_policies() {
  for (auto& [name, one] : switches_) follow_policy(name, one);
}

// What concerns the switch alone is in force whatever becomes of its uplink.
Result<void> NamedSwitches::apply(const xenstore::SwitchPolicy& policy, const std::string& name,
                                  Switch& to) {
  if (to.uplink && policy == to.policy) return {};
  to.network->set_policy(policy);
  std::unique_ptr<Uplink> another;
  if (!to.uplink || policy.device != to.policy.device) {
    auto made = policy.device.empty() ? over_tap(name, to) : over_device(policy.device, name, to);
    if (!made) return tl::unexpected(made.error());
    another = std::move(*made);
  }
  Uplink& uplink = another ? *another : *to.uplink;
  if (!uplink.set_policy(policy.uplink))
    spdlog::warn("switch {}: not all of uplink/macs could be kept: it has too many", name);
  to.policy = policy;
  if (!another) return {};
  end_uplink(to);  // no frame goes both ways
  if (auto begun = another->begin(workers_); !begun) return begun;
  to.uplink = std::move(another);
  return {};
}

Result<std::unique_ptr<Uplink>> NamedSwitches::over_tap(const std::string& name, const Switch& of) {
  // What a guest can't take is done in software on its way to that guest.
  auto tap = taps_.open("switch " + name, uplink_name(name), 1, [](hypervisor::Tap& fresh) {
    return fresh.set_offload({true, true, true, true, true});
  });
  if (!tap) return tl::unexpected(tap.error());
  return std::make_unique<Uplink>(of.network, uplink_name(name), std::move(*tap));
}

Result<std::unique_ptr<Uplink>> NamedSwitches::over_device(const std::string& device,
                                                           const std::string& name,
                                                           const Switch& of) {
  using hypervisor::XdpSocket;
  auto taken = hypervisor::XdpDevice::open(device);
  if (!taken) return tl::unexpected(taken.error());
  std::vector<std::unique_ptr<XdpSocket>> sockets;
  for (std::uint32_t queue = 0; queue < taken->receive_queues(); ++queue) {
    auto socket = XdpSocket::open(device, queue);
    if (!socket) return tl::unexpected(socket.error());
    sockets.push_back(std::move(*socket));
  }
  spdlog::info("switch {}: takes {} by AF_XDP, {} queue{}, {}", name, device, sockets.size(),
               sockets.size() == 1 ? "" : "s",
               sockets.front()->zero_copy() ? "zero-copy" : "copied");
  return std::make_unique<Uplink>(of.network, uplink_name(name), std::move(*taken),
                                  std::move(sockets));
}

void NamedSwitches::replace_uplink(const Task* queue) {
  const auto found = std::ranges::find_if(switches_, [&](const auto& one) {
    return one.second.uplink && one.second.uplink->owns(queue);
  });
  if (found == switches_.end()) return;
  auto& [name, of] = *found;
  end_uplink(of);
  follow_policy(name, of);
  spdlog::error("switch {}: the tap of its uplink was deleted; {}", name,
                of.uplink
                    ? "a new one is there, and wants its address or its place in a bridge again"
                    : of.refusal);
}

bool NamedSwitches::look() {
  bool all = true;
  for (auto& [name, of] : switches_) {
    if (of.uplink && of.uplink->lost_device()) {
      spdlog::error("switch {}: {} has gone, and is waited for", name, of.policy.device);
      end_uplink(of);
    }
    if (of.uplink) continue;
    follow_policy(name, of);
    if (of.uplink)
      spdlog::info("switch {}: has its uplink", name);
    else
      all = false;
  }
  return all;
}

bool NamedSwitches::wants_look() const {
  return std::ranges::any_of(switches_, [](const auto& one) {
    return !one.second.uplink || one.second.uplink->has_device();
  });
}

void NamedSwitches::drop_empty() {
  for (auto one = switches_.begin(); one != switches_.end();) {
    Switch& candidate = one->second;
    if (candidate.network->port_count() > (candidate.uplink ? 1U : 0U)) {
      ++one;
      continue;
    }
    spdlog::info("switch {}: gone with its last vif", one->first);
    one = switches_.erase(one);
  }
}

void NamedSwitches::for_each_uplink(
    const std::function<void(const std::string&, const Statistics&)>& see) const {
  for (const auto& [name, one] : switches_) {
    Statistics all = one.former;
    if (one.uplink) one.uplink->add_to(all);
    see(name, all);
  }
}

}  // namespace ringback::backend
