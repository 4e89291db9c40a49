// Who may do what with a node. Pure.
//
// A list's first entry names the owner, who may do everything, and says what everybody not named
// further on may do. Domain 0 may always do everything. On the wire an entry is a letter and a
// domain: n0, r5, w5, b5.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hypervisor/types.hpp"

namespace ringback::xenstore::server {

using hypervisor::DomainId;

enum Rights : unsigned { no_rights = 0, may_read = 1, may_write = 2, owns = 4 };

struct Entry {
  std::uint32_t domain = 0;  // wider than a DomainId: what a peer wrote is given back as it was
  unsigned rights = no_rights;
  bool ignored = false;  // that domain has ended; another one of the same number gets nothing by it
  friend bool operator==(const Entry&, const Entry&) = default;
};

using Permissions = std::vector<Entry>;  // never empty

struct Caller {
  DomainId domain = 0;
  std::optional<DomainId> target;  // the domain it acts for, by SET_TARGET
  bool privileged() const { return domain == 0; }
};

unsigned rights_of(const Caller& caller, const Permissions& permissions);

// Nothing if one of the texts is no entry.
std::optional<Permissions> parse_permissions(std::span<const std::string_view> texts);
std::string print(
    const Permissions& permissions);  // each with a NUL behind it, as GET_PERMS answers

}  // namespace ringback::xenstore::server
