#include "xenstore/server/tree.hpp"

namespace ringback::xenstore::server {

Tree::Tree(std::size_t quota) : quota_(quota) {
  const Permissions domain0_only = {Entry{}};
  put("/", {.value = {}, .permissions = domain0_only, .children = {"tool"}});
  put("/tool", {.value = {}, .permissions = domain0_only, .children = {"xenstored"}});
  put("/tool/xenstored", {.value = {}, .permissions = domain0_only, .children = {}});
}

const Node* Tree::find(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

void Tree::put(const std::string& path, Node node) {
  erase(path);
  node.generation = next_generation();
  ++owned_[node.owner()];
  nodes_.emplace(path, std::move(node));
}

void Tree::erase(const std::string& path) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return;
  const auto count = owned_.find(found->second.owner());
  if (--count->second == 0) owned_.erase(count);
  nodes_.erase(found);
}

Generation Tree::generation_of(const std::string& path) const {
  const Node* node = find(path);
  return node ? node->generation : no_node;
}

std::size_t Tree::owned_by(std::uint32_t domain) const {
  const auto found = owned_.find(domain);
  return found == owned_.end() ? 0 : found->second;
}

void Tree::ignore(std::uint32_t domain) {
  for (auto& [path, node] : nodes_)
    for (std::size_t i = 1; i < node.permissions.size(); ++i)
      if (node.permissions[i].domain == domain) node.permissions[i].ignored = true;
}

}  // namespace ringback::xenstore::server
