// A transaction: a View that keeps its changes to itself until commit(). Pure.
//
// What it has once looked at or changed stays as it was for it; everything else it sees as it is.
// It can be committed if none of the nodes that it looked at or changed has been changed, made or
// removed by others since (Xen 4.17's rule).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "xenstore/server/tree.hpp"

namespace ringback::xenstore::server {

// Called for each change that has become visible; the node is there unless it was removed.
using Notify = std::function<void(const std::string& path, Scope scope, const Permissions* before)>;

class Transaction : public View {
 public:
  // tree must outlive it.
  Transaction(Tree& tree, const Caller& caller);

  Outcome<const Node*> find(const std::string& path) override;
  void put(const std::string& path, Node node) override;
  void erase(const std::string& path) override;
  void changed(const std::string& path, Scope scope, const Permissions* before) override;
  std::size_t owned_by(std::uint32_t domain) const override { return tree_.owned_by(domain); }
  std::size_t room_of(std::uint32_t domain) const override { return tree_.room_of(domain); }

  // commit() will fail with ENOMEM.
  void spoil() override { spoilt_ = true; }

  // Once. domain_exists: a node can't be given to a domain that has ended meanwhile.
  Outcome<void> commit(const std::function<bool(std::uint32_t)>& domain_exists,
                       const Notify& notify);

 private:
  struct Seen {
    Generation generation = no_node;         // when first looked at
    std::optional<Permissions> permissions;  // likewise
    std::optional<Node> node;                // as this transaction sees it
    bool modified = false;
    std::optional<Scope> event;
  };
  using SeenNodes = std::map<std::string, Seen>;

  Outcome<SeenNodes::iterator> look(const std::string& path);
  Outcome<void> check_owners(const std::function<bool(std::uint32_t)>& domain_exists) const;

  Tree& tree_;
  Caller caller_;
  SeenNodes seen_;
  std::vector<SeenNodes::iterator> order_;  // events come in the order of first looks
  bool spoilt_ = false;
};

}  // namespace ringback::xenstore::server
