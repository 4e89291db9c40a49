// What a toolstack writes for a vif: the keys that libxl does. Pure.
#pragma once

#include <optional>
#include <string>

#include "xenstore/vif_keys.hpp"

namespace ringback::control {

using hypervisor::DomainId;

// vif-ringback as the script means the built-in switch, to xl too; there is nothing to run for it.
inline constexpr const char* switch_script = "/etc/xen/scripts/vif-ringback";

struct VifRequest {
  xenstore::VifId id;
  DomainId backend = 0;
  xenstore::Mac mac{};
  std::string bridge;  // or the switch's name
  std::string script;
  std::string vifname;
  std::optional<xenstore::Rate> rate;
  std::uint32_t mtu = 1500;
  std::optional<std::uint32_t> max_queues;
  bool hotplug_connected = false;  // no script will say so
};

xenstore::Keys backend_keys(const VifRequest& vif);
xenstore::Keys frontend_keys(const VifRequest& vif);

}  // namespace ringback::control
