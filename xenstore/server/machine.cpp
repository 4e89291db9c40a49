#include "xenstore/server/machine.hpp"

#include <limits>

#include "xenstore/server/operations.hpp"

namespace ringback::xenstore::server {

Machine::Machine(Quota quota)
    : quota_(quota),
      tree_(quota.entry_nb),
      domains_{{0, {}}},
      special_{{"@introduceDomain", {Entry{}}}, {"@releaseDomain", {Entry{}}}} {}

void Machine::introduce(DomainId domain) {
  if (domains_.try_emplace(domain).second) notify_special("@introduceDomain");
}

void Machine::release(DomainId domain) {
  if (domain == 0 || !exists(domain)) return;
  for (auto& [id, session] : sessions_)
    if (session.domain == domain) session.end();
  remove_owned(nodes_, domain);
  tree_.ignore(domain);
  for (auto& [name, permissions] : special_) {
    if (permissions.front().domain == domain) permissions.front().domain = 0;
    for (Entry& entry : permissions) entry.ignored |= entry.domain == domain;
  }
  domains_.erase(domain);
  for (auto& [id, other] : domains_)
    if (other.target == domain) other.target.reset();
  notify_special("@releaseDomain");
}

SessionId Machine::connect(DomainId domain) {
  const std::size_t limit = domain == 0 ? std::numeric_limits<std::size_t>::max() : quota::backlog;
  sessions_.try_emplace(++last_session_, domain, limit);
  return last_session_;
}

void Machine::disconnect(SessionId session) {
  sessions_.erase(session);
}

void Machine::receive(SessionId id, std::string_view bytes) {
  sessions_.at(id).framer.feed(bytes);
  serve(id);
}

bool Machine::serve(SessionId id) {
  Session& session = sessions_.at(id);
  bool did_anything = false;
  while (!session.ended && wants_input(session)) {
    const std::optional<Request> request = session.framer.next();
    if (session.framer.broken()) session.end();
    if (!request) break;
    handle(session, *request);
    did_anything = true;
  }
  return did_anything;
}

bool Machine::wants_input(SessionId id) const {
  return wants_input(sessions_.at(id));
}

bool Machine::wants_input(const Session& session) const {
  return session.domain == 0 || session.outbox.answers() < quota::outstanding;
}

Caller Machine::caller(const Session& session) const {
  const auto domain = domains_.find(session.domain);
  return {session.domain, domain == domains_.end() ? std::nullopt : domain->second.target};
}

// A watcher learns of a change if it may read the node or its parent, or might until this change.
bool Machine::may_see(const Caller& caller, const std::string& path,
                      const Permissions* before) const {
  if (before && rights_of(caller, *before) & may_read) return true;
  const Node* node = tree_.find(path);
  if (!node) return false;
  if (rights_of(caller, node->permissions) & may_read) return true;
  const Node* parent = tree_.find(parent_of(path));
  return parent && rights_of(caller, parent->permissions) & may_read;
}

void Machine::notify(const std::string& path, Scope scope, const Permissions* before) {
  for (auto& [id, session] : sessions_) {
    if (session.watches.empty() || !may_see(caller(session), path, before)) continue;
    for (const Watch& watch : session.watches)
      if (watch.concerns(path, scope)) session.outbox.event(watch.reported(path), watch.token);
  }
}

void Machine::notify_special(const std::string& name) {
  for (auto& [id, session] : sessions_) {
    if (!(rights_of(caller(session), special_.at(name)) & may_read)) continue;
    for (const Watch& watch : session.watches)
      if (watch.path == name) session.outbox.event(name, watch.token);
  }
}

void Machine::reset(DomainId domain) {
  for (auto& [id, session] : sessions_)
    if (session.domain == domain && domain != 0) session.forget();
}

Outcome<const Node*> Machine::Nodes::find(const std::string& path) {
  return machine_.tree_.find(path);
}
void Machine::Nodes::put(const std::string& path, Node node) {
  machine_.tree_.put(path, std::move(node));
}
void Machine::Nodes::erase(const std::string& path) {
  machine_.tree_.erase(path);
}
void Machine::Nodes::changed(const std::string& path, Scope scope, const Permissions* before) {
  machine_.notify(path, scope, before);
}
std::size_t Machine::Nodes::owned_by(std::uint32_t domain) const {
  return machine_.tree_.owned_by(domain);
}

std::size_t Machine::Nodes::room_of(std::uint32_t domain) const {
  return machine_.tree_.room_of(domain);
}

}  // namespace ringback::xenstore::server
