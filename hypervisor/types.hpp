// The hypervisor's own words.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringback::hypervisor {

using DomainId = std::uint16_t;  // domid_t
using GrantRef = std::uint32_t;  // grant_ref_t, in the granting domain
using Port = std::uint32_t;      // evtchn_port_t, in the domain that uses it

inline constexpr std::size_t page_size = 4096;  // of every Xen protocol, whatever the host's

}  // namespace ringback::hypervisor
