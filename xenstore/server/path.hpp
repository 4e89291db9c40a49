// Paths of the store, as text. Pure. A path that a peer sent is only looked into after valid_path()
// has said yes.
#pragma once

#include <string>
#include <string_view>

#include "hypervisor/types.hpp"

namespace ringback::xenstore::server {

using hypervisor::DomainId;

// Absolute, of the store's letters, no empty name in it, and not too long: 2048 characters, not
// counting a leading /local/domain/<id>/, so that a relative path of that length stays valid once
// it is absolute.
bool valid_path(std::string_view path);

std::string home_of(DomainId domain);  // "/local/domain/<id>"
// What `path` means when `domain` says it: relative paths begin at its home. "@..." names an event
// and stays.
std::string absolute(DomainId domain, std::string_view path);

std::string parent_of(std::string_view path);  // of "/" it is "/"
std::string_view name_of(std::string_view path);
std::string child_of(std::string_view path, std::string_view name);
bool at_or_below(std::string_view path, std::string_view ancestor);

}  // namespace ringback::xenstore::server
