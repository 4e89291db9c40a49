// What one client's connection holds in the store.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "xenstore/server/path.hpp"
#include "xenstore/server/transaction.hpp"
#include "xenstore/server/wire.hpp"

namespace ringback::xenstore::server {

struct Watch {
  std::string path;  // absolute, or "@..."
  std::string token;
  std::size_t hidden =
      0;  // that many characters of a path are not reported: the watch was relative

  bool concerns(std::string_view changed, Scope scope) const {
    return scope == Scope::node_only ? changed == path : at_or_below(changed, path);
  }
  std::string_view reported(std::string_view changed) const { return changed.substr(hidden); }
};

struct Session {
  Session(DomainId id, std::size_t event_limit) : domain(id), outbox(event_limit) {}

  DomainId domain;
  Framer framer;
  Outbox outbox;
  std::vector<Watch> watches;  // oldest first
  std::map<std::uint32_t, Transaction> transactions;
  std::uint32_t last_transaction = 0;
  bool ended = false;  // to be closed: it sent garbage, or its domain was released

  void forget() {
    watches.clear();
    transactions.clear();
  }
  void end() {
    forget();
    outbox.clear();
    ended = true;
  }
};

}  // namespace ringback::xenstore::server
