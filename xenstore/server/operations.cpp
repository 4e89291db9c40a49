#include "xenstore/server/operations.hpp"

#include <algorithm>
#include <cerrno>

#include "xenstore/server/path.hpp"
#include "xenstore/server/quota.hpp"

namespace ringback::xenstore::server {
namespace {

tl::unexpected<int> failed(int code) {
  return tl::unexpected<int>(code);
}

tl::unexpected<int> over_quota(View& view) {
  view.spoil();
  return failed(ENOSPC);
}

// As xenstored counts it: its record has a header of 24 bytes and 8 for each entry of the
// permissions.
bool fits(const Caller& caller, const Node& node) {
  std::size_t size = 24 + 8 * node.permissions.size() + node.value.size();
  for (const std::string& child : node.children) size += child.size() + 1;
  return caller.privileged() || size < quota::node_size;
}

// What to say of a node that can't be had: `code`, or EACCES to those who have none of the rights
// above it either.
Outcome<const Node*> conceal(View& view, const Caller& caller, std::string path, unsigned need,
                             int code) {
  const Node* parent = nullptr;
  while (parent == nullptr) {  // ends at "/", which always exists
    path = parent_of(path);
    const auto found = view.find(path);
    if (!found) return found;
    parent = *found;
  }
  return failed(rights_of(caller, parent->permissions) & need ? code : EACCES);
}

Outcome<void> create(View& view, const Caller& caller, const std::string& path,
                     std::string_view value) {
  std::vector<std::string> missing = {path};
  std::string above = parent_of(path);
  const Node* parent = nullptr;
  for (;; above = parent_of(above)) {
    const auto found = view.find(above);
    if (!found) return failed(found.error());
    if ((parent = *found)) break;
    missing.push_back(above);
  }
  if (!caller.privileged() && missing.size() > view.room_of(caller.domain)) return over_quota(view);

  Node changed_parent = *parent;
  changed_parent.children.emplace_back(name_of(missing.back()));
  Node fresh;
  fresh.permissions = parent->permissions;
  if (!caller.privileged()) fresh.permissions.front().domain = caller.domain;
  std::vector<Node> nodes(missing.size(), fresh);
  nodes.front().value = value;
  for (std::size_t i = 1; i < nodes.size(); ++i)
    nodes[i].children.emplace_back(name_of(missing[i - 1]));

  const auto is_too_big = [&](const Node& node) { return !fits(caller, node); };
  if (is_too_big(changed_parent) || std::any_of(nodes.begin(), nodes.end(), is_too_big))
    return over_quota(view);
  for (std::size_t i = 0; i < nodes.size(); ++i) view.put(missing[i], std::move(nodes[i]));
  view.put(above, std::move(changed_parent));
  view.changed(path, Scope::node_and_above);
  return {};
}

// Children first. As deep as a path is long, at most. A transaction can see a node and its parent
// at different times, so that a child is missing, or one is there that the parent does not name:
// it has lost already, and EIO is what xenstored says then.
Outcome<void> remove_with_children(View& view, const std::string& path, Scope scope) {
  const auto node = view.find(path);
  if (!node || !*node) return failed(EIO);
  const std::vector<std::string> children = (*node)->children;
  for (const std::string& child : children)
    if (auto done = remove_with_children(view, child_of(path, child), Scope::node_only); !done)
      return done;
  view.changed(path, scope);
  view.erase(path);
  return {};
}

Outcome<void> remove_tree(View& view, const std::string& path) {
  const std::string above = parent_of(path);
  const auto parent = view.find(above);
  if (!parent) return failed(parent.error());
  if (!*parent) return failed(EINVAL);
  Node changed_parent = **parent;
  if (auto done = remove_with_children(view, path, Scope::node_and_above); !done) return done;
  if (std::erase(changed_parent.children, name_of(path)) == 0) return failed(EIO);
  view.put(above, std::move(changed_parent));
  return {};
}

void remove_owned_below(View& view, std::uint32_t domain, const std::string& path) {
  const auto node = view.find(path);
  if (!node || !*node) return;
  if ((*node)->owner() == domain && path != "/") {
    (void)remove_tree(view, path);
    return;
  }
  if ((*node)->owner() == domain) {  // the root stays, and goes back to domain 0
    Node root = **node;
    root.permissions.front().domain = 0;
    view.put(path, std::move(root));
    return remove_owned_below(view, domain, path);
  }
  const std::vector<std::string> children = (*node)->children;
  for (const std::string& child : children) remove_owned_below(view, domain, child_of(path, child));
}

}  // namespace

Outcome<const Node*> get(View& view, const Caller& caller, const std::string& path, unsigned need) {
  if (!valid_path(path)) return failed(EINVAL);
  const auto node = view.find(path);
  if (!node) return node;
  if (*node == nullptr) return conceal(view, caller, path, need, ENOENT);
  if ((rights_of(caller, (*node)->permissions) & need) == need) return node;
  return conceal(view, caller, path, need, EACCES);
}

Outcome<void> write(View& view, const Caller& caller, const std::string& path,
                    std::string_view value) {
  const auto node = get(view, caller, path, may_write);
  if (!node && node.error() == ENOENT) return create(view, caller, path, value);
  if (!node) return failed(node.error());
  Node changed = **node;
  changed.value = value;
  if (!fits(caller, changed)) return over_quota(view);
  view.put(path, std::move(changed));
  view.changed(path, Scope::node_and_above);
  return {};
}

Outcome<void> make_directory(View& view, const Caller& caller, const std::string& path) {
  const auto node = get(view, caller, path, may_write);
  if (node) return {};
  if (node.error() != ENOENT) return failed(node.error());
  return create(view, caller, path, {});
}

Outcome<void> remove(View& view, const Caller& caller, const std::string& path) {
  const auto node = get(view, caller, path, may_write);
  if (!node) {
    if (node.error() != ENOENT) return failed(node.error());
    const auto parent = view.find(parent_of(path));
    if (!parent) return failed(parent.error());
    if (!*parent) return failed(ENOENT);
    return {};
  }
  if (path == "/") return failed(EINVAL);
  return remove_tree(view, path);
}

Outcome<void> set_permissions(View& view, const Caller& caller, const std::string& path,
                              Permissions permissions) {
  const auto node = get(view, caller, path, may_write | owns);
  if (!node) return failed(node.error());
  if (!caller.privileged() && permissions.front().domain != (*node)->owner()) return failed(EPERM);
  Node changed = **node;
  const Permissions before = std::exchange(changed.permissions, std::move(permissions));
  if (!fits(caller, changed)) return over_quota(view);
  view.put(path, std::move(changed));
  view.changed(path, Scope::node_and_above, &before);
  return {};
}

void remove_owned(View& view, std::uint32_t domain) {
  if (view.owned_by(domain) > 0) remove_owned_below(view, domain, "/");
}

}  // namespace ringback::xenstore::server
