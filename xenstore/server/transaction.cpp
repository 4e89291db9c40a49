#include "xenstore/server/transaction.hpp"

#include <cerrno>

#include "xenstore/server/quota.hpp"

namespace ringback::xenstore::server {

Transaction::Transaction(Tree& tree, const Caller& caller) : tree_(tree), caller_(caller) {}

Outcome<Transaction::SeenNodes::iterator> Transaction::look(const std::string& path) {
  if (const auto found = seen_.find(path); found != seen_.end()) return found;
  if (!caller_.privileged() && seen_.size() >= quota::transaction_nodes) {
    spoil();
    return tl::unexpected<int>(ENOSPC);
  }
  Seen seen;
  if (const Node* node = tree_.find(path)) {
    seen.generation = node->generation;
    seen.permissions = node->permissions;
    seen.node = *node;
  }
  order_.push_back(seen_.emplace(path, std::move(seen)).first);
  return order_.back();
}

Outcome<const Node*> Transaction::find(const std::string& path) {
  return look(path).map([](SeenNodes::iterator it) -> const Node* {
    return it->second.node ? &*it->second.node : nullptr;
  });
}

void Transaction::put(const std::string& path, Node node) {
  const auto it = look(path);
  if (!it) return;
  Seen& seen = (*it)->second;
  node.generation = tree_.next_generation();
  seen.node = std::move(node);
  seen.modified = true;
}

void Transaction::erase(const std::string& path) {
  const auto it = look(path);
  if (!it) return;
  Seen& seen = (*it)->second;
  seen.node.reset();
  seen.modified = true;
}

// The permissions to judge an event by are those before the transaction, which it has from the
// first look.
void Transaction::changed(const std::string& path, Scope scope, const Permissions*) {
  const auto it = look(path);
  if (!it) return;
  std::optional<Scope>& event = (*it)->second.event;
  if (!event || scope == Scope::node_and_above) event = scope;
}

Outcome<void> Transaction::check_owners(
    const std::function<bool(std::uint32_t)>& domain_exists) const {
  std::map<std::uint32_t, long> growth;
  for (const auto& [path, seen] : seen_) {
    if (!seen.modified) continue;
    if (seen.permissions) --growth[seen.permissions->front().domain];
    if (seen.node) ++growth[seen.node->owner()];
  }
  for (const auto& [domain, nodes] : growth) {
    if (nodes <= 0) continue;
    if (!domain_exists(domain)) return tl::unexpected<int>(ENOMEM);
    if (!caller_.privileged() && domain != 0 &&
        static_cast<std::size_t>(nodes) > tree_.room_of(domain))
      return tl::unexpected<int>(ENOSPC);
  }
  return {};
}

Outcome<void> Transaction::commit(const std::function<bool(std::uint32_t)>& domain_exists,
                                  const Notify& notify) {
  if (spoilt_) return tl::unexpected<int>(ENOMEM);
  if (auto checked = check_owners(domain_exists); !checked) return checked;
  for (const auto& [path, seen] : seen_)
    if (tree_.generation_of(path) != seen.generation) return tl::unexpected<int>(EAGAIN);

  for (const SeenNodes::iterator it : order_) {
    auto& [path, seen] = *it;
    if (!seen.modified) continue;
    if (seen.node)
      tree_.put(path, std::move(*seen.node));
    else
      tree_.erase(path);
    if (seen.event) notify(path, *seen.event, seen.permissions ? &*seen.permissions : nullptr);
  }
  return {};
}

}  // namespace ringback::xenstore::server
