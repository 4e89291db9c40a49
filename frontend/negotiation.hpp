// What this frontend and a backend agree on. Pure: the keys of both sides in, values out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hypervisor/result.hpp"
#include "net/offload.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::frontend {

struct NetfrontOptions {
  std::uint32_t device = 0;
  std::string tap = "eth0";
  std::uint32_t queues = 1;  // 1..64; no more than the backend offers are used
  bool offload = true;       // otherwise every frame is whole, summed, and of one slot, both ways
  bool verify_checksums = false;       // count wrong checksums in what is received
  std::optional<xenstore::Mac> mac{};  // instead of the one in the store
  std::optional<std::uint32_t> mtu{};  // likewise, or 1500
};

struct Negotiated {
  xenstore::DomainId backend_domain = 0;
  xenstore::Mac mac{};
  net::Abilities backend;  // what may be sent: what the backend takes, and this side uses
  net::Abilities own;      // what may be received
  bool split_event_channels = false;
  std::uint32_t queues = 1;
  std::uint32_t mtu = 1500;  // no more than 1500 if frames have one slot in either direction
};

// frontend, backend: the keys in FE and BE.
Result<Negotiated> negotiate(const NetfrontOptions& options, const xenstore::Keys& frontend,
                             const xenstore::Keys& backend);

}  // namespace ringback::frontend
