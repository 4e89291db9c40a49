#include "backend/switch/named_switches.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <spdlog/spdlog.h>

#include <algorithm>

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

NamedSwitches::~NamedSwitches() {
  for (auto& [name, one] : switches_) end(one);
}

std::shared_ptr<SoftwareSwitch> NamedSwitches::get(const std::string& name) {
  if (const auto known = switches_.find(name); known != switches_.end())
    return known->second.network;
  Switch& made = switches_[name];
  made.network = std::make_shared<SoftwareSwitch>(name, [this] {
    for (const auto& worker : workers_) worker->call({});
  });
  if (const auto added = add_uplink(name, made); added)
    spdlog::info("switch {}: made, with an uplink", name);
  else
    spdlog::warn("switch {}: made without an uplink into the host: {}", name, added.error().what);
  return made.network;
}

Result<void> NamedSwitches::add_uplink(const std::string& name, Switch& to) {
  auto tap = taps_.open("switch " + name, uplink_name(name), 1);
  if (!tap) return tl::unexpected(tap.error());
  // What a guest can't take is done in software on its way to that guest.
  if (auto set = tap->set_offload({true, true, true, true, true}); !set) return set;
  auto uplink = std::make_unique<Uplink>(to.network, uplink_name(name), std::move(*tap));
  Worker& worker =
      **std::ranges::min_element(workers_, {}, [](const auto& one) { return one->queue_count(); });
  if (auto served = worker.serve_also(*uplink); !served) return served;
  uplink->connect();
  to.uplink = std::move(uplink);
  to.worker = &worker;
  return {};
}

void NamedSwitches::end(Switch& of) {
  if (!of.uplink) return;
  of.uplink->disconnect();
  of.worker->serve_no_more(*of.uplink);
  of.uplink.reset();
}

void NamedSwitches::replace_tap(const Task* uplink) {
  const auto found = std::ranges::find_if(
      switches_, [&](const auto& one) { return one.second.uplink.get() == uplink; });
  if (found == switches_.end()) return;
  auto& [name, of] = *found;
  end(of);
  const auto added = add_uplink(name, of);
  spdlog::error("switch {}: the tap of its uplink was deleted; {}", name,
                added ? "a new one is there, and wants its address or its place in a bridge again"
                      : added.error().what);
}

void NamedSwitches::drop_empty() {
  for (auto one = switches_.begin(); one != switches_.end();) {
    Switch& candidate = one->second;
    if (candidate.network->port_count() > (candidate.uplink ? 1U : 0U)) {
      ++one;
      continue;
    }
    end(candidate);
    spdlog::info("switch {}: gone with its last vif", one->first);
    one = switches_.erase(one);
  }
}

void NamedSwitches::for_each_uplink(
    const std::function<void(const std::string&, const Uplink&)>& see) const {
  for (const auto& [name, one] : switches_)
    if (one.uplink) see(name, *one.uplink);
}

}  // namespace ringback::backend
