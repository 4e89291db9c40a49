// What `ringback vif ...` was asked to do. Values are checked by the command line's parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "xenstore/vif_keys.hpp"

namespace ringback::backend::control {

struct AttachOptions {
  hypervisor::DomainId domain = 0;
  std::optional<std::uint32_t> device;  // else the lowest free one
  std::optional<xenstore::Mac> mac;     // else random, with Xen's prefix
  std::string bridge;
  std::string switch_name;
  std::string script;
  std::string vifname;
  std::optional<xenstore::Rate> rate;
  std::optional<std::uint32_t> mtu;
  std::optional<std::uint32_t> max_queues;
  hypervisor::DomainId backend = 0;
  bool wait = true;  // for the backend, and run the hotplug script
};

struct DetachOptions {
  hypervisor::DomainId domain = 0;
  std::optional<std::uint32_t> device;  // else the only one
  bool force = false;                   // don't wait for the backend
};

}  // namespace ringback::backend::control
