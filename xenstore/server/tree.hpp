// The nodes of the store. Pure: a value without callers, permission checks or watches; those are in
// operations.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>
#include <vector>

#include "xenstore/server/permissions.hpp"

namespace ringback::xenstore::server {

// Failures are errno values, for that is what goes back over the wire.
template <class T>
using Outcome = tl::expected<T, int>;

// Grows with every change in the store, so that no two states of a node have the same one.
using Generation = std::uint64_t;
inline constexpr Generation no_node = 0;  // the generation of what does not exist

struct Node {
  std::string value;
  Permissions permissions;
  std::vector<std::string> children;  // names, oldest first
  Generation generation = no_node;

  std::uint32_t owner() const { return permissions.front().domain; }
};

// Which watches a change concerns: those on the node and above it, or on the node alone (the nodes
// that vanish with one that is removed).
enum class Scope { node_and_above, node_only };

// What the operations work on: the tree itself, or a transaction over it.
class View {
 public:
  virtual ~View() = default;
  // nullptr: no such node. The pointer holds until the node is next put or erased.
  virtual Outcome<const Node*> find(const std::string& path) = 0;
  virtual void put(const std::string& path, Node node) = 0;
  virtual void erase(const std::string& path) = 0;
  // To be called when the node is there: after put, before erase. before: its permissions, if they
  // were changed.
  virtual void changed(const std::string& path, Scope scope,
                       const Permissions* before = nullptr) = 0;
  virtual std::size_t owned_by(std::uint32_t domain) const = 0;
  // So many more nodes may an unprivileged domain own.
  virtual std::size_t room_of(std::uint32_t domain) const = 0;
  // A change was refused by a quota: as xenstored has it, a transaction is then lost.
  virtual void spoil() {}
};

class Tree {
 public:
  // With the nodes that xenstored starts with: /tool/xenstored. quota: nodes of one domain.
  explicit Tree(std::size_t quota);

  const Node* find(const std::string& path) const;
  // A node's parent and its list of children are the caller's business.
  void put(const std::string& path, Node node);
  void erase(const std::string& path);

  Generation generation_of(const std::string& path) const;
  Generation next_generation() { return ++generation_; }
  std::size_t owned_by(std::uint32_t domain) const;
  std::size_t room_of(std::uint32_t domain) const {
    return quota_ - std::min(quota_, owned_by(domain));
  }

  // From now on no entry that names the domain counts; the first entry of a list, the owner, is
  // left alone.
  void ignore(std::uint32_t domain);

 private:
  std::size_t quota_;
  std::unordered_map<std::string, Node> nodes_;
  std::map<std::uint32_t, std::size_t> owned_;
  Generation generation_ = no_node;
};

}  // namespace ringback::xenstore::server
