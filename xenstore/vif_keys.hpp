// The xenstore keys of a vif, as values: parsed once, with ranges, and printed. Pure: text in,
// values or an Error that names the key, its value and its range out. A key's text comes from a
// guest, so it is length-capped and never trusted.
//
//   BE = /local/domain/<backend>/backend/vif/<domid>/<devid>   written by the toolstack and the
//   backend FE = /local/domain/<domid>/device/vif/<devid>              written by the toolstack and
//   the frontend
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hypervisor/types.hpp"
#include "net/offload.hpp"
#include "xenstore/port_policy.hpp"

namespace ringback::xenstore {

using hypervisor::DomainId;
using hypervisor::GrantRef;
using hypervisor::Port;

struct VifId {
  DomainId domain = 0;  // the guest
  std::uint32_t device = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the compiler's own 0 for ours
  friend auto operator<=>(const VifId&, const VifId&) = default;
};
std::string device_name(VifId id);                     // vif<domid>.<devid>
std::string backend_path(DomainId backend, VifId id);  // BE
std::string frontend_path(VifId id);                   // FE

// What a vif leaves by: a tap in the host's stack, or a port of the built-in switch.
enum class PortKind { tap, software_switch };

struct Rate {
  std::uint64_t bytes = 0;  // per interval
  std::uint64_t interval_us = 50000;
  friend bool operator==(const Rate&, const Rate&) = default;
};
// As libxl writes it: "bytes,usec".
Result<Rate> parse_rate(std::string_view text);
std::string to_string(const Rate& rate);

// What the toolstack wrote in BE: the configuration.
//   frontend frontend-id handle mac online state hotplug-status script bridge rate mtu vifname ip
//   vlan ...  as libxl writes script ends in "vif-ringback"  -> the built-in switch, named by
//   `bridge`; anything else -> a tap ringback/port = "tap" | "switch" overrides that;
//   ringback/switch = name;  ringback/max-queues = 1..64
struct VifConfig {
  VifId id;
  std::string frontend;  // FE
  Mac mac{};
  bool online = true;
  PortKind port = PortKind::tap;
  std::string switch_name;   // for software_switch
  PortPolicy policy;         // likewise
  std::string vifname;       // empty: device_name(id)
  std::uint32_t mtu = 1500;  // 68..65535
  std::optional<Rate> rate;
  std::uint32_t max_queues = 4;  // 1..64
  std::string hotplug_status;
  friend bool operator==(const VifConfig&, const VifConfig&) = default;
};
Result<VifConfig> parse_vif_config(VifId id, const Keys& backend);
// The keys of BE that a backend goes by: all that parse_vif_config() looks at, how many queues it
// has offered, and its state and error. They are read one by one, so what only the frontend goes by
// is not among them.
KeyNames backend_key_names();

// What the backend offers in BE.
struct BackendFeatures {
  bool sg = true, gso_tcpv4 = true, gso_tcpv6 = true, checksum_v4 = true, checksum_v6 = true;
  bool split_event_channels = true;
  bool multicast_control = false, ctrl_ring = false;
  std::uint32_t max_queues = 4;
};
Keys print(const BackendFeatures& features);
Result<BackendFeatures> parse_backend_features(const Keys& backend);

struct QueueKeys {
  GrantRef tx_ring_ref = 0;
  GrantRef rx_ring_ref = 0;
  Port tx_event_channel = 0;
  Port rx_event_channel = 0;  // equal to tx_event_channel unless they are split
  friend bool operator==(const QueueKeys&, const QueueKeys&) = default;
};

// What a frontend wrote in FE to connect.
struct FrontendKeys {
  std::vector<QueueKeys> queues;  // 1..max_queues
  bool split_event_channels = false;
  bool rx_copy = true;       // request-rx-copy; absent is taken for 1, 0 is refused
  bool rx_notify = false;    // feature-rx-notify
  net::Abilities abilities;  // what the guest's rx path takes
  friend bool operator==(const FrontendKeys&, const FrontendKeys&) = default;
};
// max_queues: what the backend offered. Rules: multi-queue-num-queues absent or 1 -> top-level keys
// (queue-0/ also where only that exists), 2 or more -> queue-N/; 0 or more than max_queues is
// refused (note 36).
Result<FrontendKeys> parse_frontend_keys(const Keys& frontend, std::uint32_t max_queues);
// All that it looks at.
KeyNames frontend_key_names(std::uint32_t max_queues);
Keys print(const FrontendKeys& keys);

}  // namespace ringback::xenstore
