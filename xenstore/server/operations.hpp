// What a caller can do to the nodes, with its rights and quotas checked. Pure, over a View.
#pragma once

#include <string>
#include <string_view>

#include "xenstore/server/tree.hpp"

namespace ringback::xenstore::server {

// The node, if the caller has all of the rights `need`. ENOENT is only told to those who may look
// at the nearest parent; others can't tell a missing node from a forbidden one.
Outcome<const Node*> get(View& view, const Caller& caller, const std::string& path, unsigned need);

// Makes the node, and the parents it lacks, if it is not there. New nodes inherit their parent's
// permissions, and belong to the caller unless it is domain 0.
Outcome<void> write(View& view, const Caller& caller, const std::string& path,
                    std::string_view value);
Outcome<void> make_directory(View& view, const Caller& caller, const std::string& path);

// With all that is below it, whoever owns it. A missing node is no error if its parent is there.
Outcome<void> remove(View& view, const Caller& caller, const std::string& path);

Outcome<void> set_permissions(View& view, const Caller& caller, const std::string& path,
                              Permissions permissions);

// Removes every node that the domain owns, with all that is below.
void remove_owned(View& view, std::uint32_t domain);

}  // namespace ringback::xenstore::server
