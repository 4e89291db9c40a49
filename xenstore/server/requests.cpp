// The operations of xs_wire.h.
#include <algorithm>
#include <cerrno>

#include "xenstore/server/machine.hpp"
#include "xenstore/server/operations.hpp"
#include "xenstore/server/quota.hpp"

namespace ringback::xenstore::server {
namespace {

constexpr std::uint32_t self = 0x7ff0;          // DOMID_SELF
constexpr std::uint32_t first_reserved = self;  // DOMID_FIRST_RESERVED

tl::unexpected<int> failed(int code) {
  return tl::unexpected<int>(code);
}

std::string text(std::string_view string) {
  return std::string(string) + '\0';
}
const std::string ok = text("OK");

Outcome<std::string> acknowledge(const Outcome<void>& outcome) {
  if (!outcome) return failed(outcome.error());
  return ok;
}

std::string list_of(const Node& node) {
  std::string list;
  for (const std::string& child : node.children) list += text(child);
  return list;
}

// "generation", then as many of the names from `offset` on as fit, then an empty name if those were
// the last.
std::string part_of_list(const Node& node, std::uint32_t offset) {
  std::string answer = text(std::to_string(node.generation));
  const std::string list = list_of(node);
  if (offset >= list.size()) return answer + '\0';
  const std::size_t room = XENSTORE_PAYLOAD_MAX - answer.size() - 1;
  std::size_t end = offset;
  while (end < list.size()) {
    const std::size_t next = list.find('\0', end) + 1;
    if (next - offset > room) break;
    end = next;
  }
  answer += list.substr(offset, end - offset);
  if (end == list.size()) answer += '\0';
  return answer;
}

Outcome<std::string> control(const Request& request) {
  const auto words = strings_of(request.body);
  if (words.size() != 1) return failed(EINVAL);
  if (words[0] == "check") return ok;
  if (words[0] == "help") return text("check\t\nhelp\t\n");
  return failed(EINVAL);
}

bool is_privileged(std::uint32_t type) {
  return type == XS_CONTROL || type == XS_INTRODUCE || type == XS_RELEASE ||
         type == XS_IS_DOMAIN_INTRODUCED || type == XS_RESUME || type == XS_SET_TARGET;
}

}  // namespace

void Machine::handle(Session& session, const Request& request) {
  ++requests_;
  const Reply reply = perform(session, request);
  if (session.ended) return;  // it released its own domain
  if (!reply) return session.outbox.answer_error(request, reply.error());
  session.outbox.answer(request, *reply);
  if (request.type == XS_WATCH) {  // fires once at registration, behind the answer
    const Watch& watch = session.watches.back();
    session.outbox.event(watch.reported(watch.path), watch.token);
  }
}

Machine::Reply Machine::perform(Session& session, const Request& request) {
  if (is_privileged(request.type) && session.domain != 0) return failed(EACCES);
  const bool ignores_transaction = request.type == XS_WATCH || request.type == XS_UNWATCH;
  const auto transaction = session.transactions.find(request.transaction);
  const bool in_transaction = request.transaction != 0 && !ignores_transaction;

  switch (request.type) {
    case XS_DIRECTORY:
    case XS_DIRECTORY_PART:
    case XS_READ:
    case XS_GET_PERMS:
    case XS_WRITE:
    case XS_MKDIR:
    case XS_RM:
    case XS_SET_PERMS: {
      if (!in_transaction) return perform_on_nodes(nodes_, session, request);
      if (transaction == session.transactions.end()) return failed(ENOENT);
      return perform_on_nodes(transaction->second, session, request);
    }
    case XS_WATCH:
    case XS_UNWATCH:
    case XS_RESET_WATCHES:
    case XS_TRANSACTION_START:
    case XS_TRANSACTION_END:
    case XS_GET_DOMAIN_PATH:
      if (in_transaction && transaction == session.transactions.end()) return failed(ENOENT);
      return perform_on_session(session, request);
    case XS_CONTROL:
    case XS_INTRODUCE:
    case XS_RELEASE:
    case XS_IS_DOMAIN_INTRODUCED:
    case XS_RESUME:
    case XS_SET_TARGET:
      if (in_transaction && transaction == session.transactions.end()) return failed(ENOENT);
      return perform_on_domains(request);
    default:
      return failed(ENOSYS);
  }
}

Machine::Reply Machine::perform_on_nodes(View& view, const Session& session,
                                         const Request& request) {
  const Caller who = caller(session);
  const auto strings = strings_of(request.body);
  const bool takes_one =
      request.type != XS_WRITE && request.type != XS_SET_PERMS && request.type != XS_DIRECTORY_PART;
  if (strings.empty() || (takes_one && !only_string(request.body))) return failed(EINVAL);
  const std::string path = absolute(session.domain, strings[0]);

  switch (request.type) {
    case XS_DIRECTORY:
      return get(view, who, path, may_read).map([](const Node* node) { return list_of(*node); });
    case XS_DIRECTORY_PART:
      if (strings.size() != 2) return failed(EINVAL);
      return get(view, who, path, may_read).map([&](const Node* node) {
        return part_of_list(*node, number_of(strings[1]));
      });
    case XS_READ:
      return get(view, who, path, may_read).map([](const Node* node) { return node->value; });
    case XS_GET_PERMS:
      return get(view, who, path, may_read).map([](const Node* node) {
        return print(node->permissions);
      });
    case XS_WRITE:
      return acknowledge(
          write(view, who, path, std::string_view(request.body).substr(strings[0].size() + 1)));
    case XS_MKDIR:
      return acknowledge(make_directory(view, who, path));
    case XS_RM:
      return acknowledge(remove(view, who, path));
    default:
      return set_permissions_for(view, session, request);
  }
}

Machine::Reply Machine::set_permissions_for(View& view, const Session& session,
                                            const Request& request) {
  const auto strings = strings_of(request.body);
  const Caller who = caller(session);
  if (strings.size() < 2) return failed(EINVAL);
  if (!who.privileged() && strings.size() - 1 > quota::permissions) return failed(ENOSPC);
  auto permissions = parse_permissions(std::span(strings).subspan(1));
  if (!permissions) return failed(EINVAL);
  for (Entry& entry : *permissions) entry.ignored = !exists(entry.domain);
  if (permissions->front().ignored) return failed(ENOENT);

  if (!strings[0].starts_with('@'))
    return acknowledge(
        set_permissions(view, who, absolute(session.domain, strings[0]), std::move(*permissions)));
  const auto special = special_.find(std::string(strings[0]));
  if (special == special_.end()) return failed(EINVAL);
  constexpr unsigned need = may_write | owns;
  if ((rights_of(who, special->second) & need) != need) return failed(EACCES);
  special->second = std::move(*permissions);
  return ok;
}

Machine::Reply Machine::perform_on_session(Session& session, const Request& request) {
  switch (request.type) {
    case XS_WATCH:
      return add_watch(session, request);
    case XS_UNWATCH:
      return remove_watch(session, request);
    case XS_TRANSACTION_START:
      return start_transaction(session, request);
    case XS_TRANSACTION_END:
      return end_transaction(session, request);
    case XS_GET_DOMAIN_PATH: {
      const auto domain = only_string(request.body);
      if (!domain) return failed(EINVAL);
      return text("/local/domain/" + std::to_string(number_of(*domain)));
    }
    default:  // XS_RESET_WATCHES: a guest starts over
      session.forget();
      return ok;
  }
}

Machine::Reply Machine::add_watch(Session& session, const Request& request) {
  const auto strings = strings_of(request.body);
  if (strings.size() != 2) return failed(EINVAL);
  Watch watch{absolute(session.domain, strings[0]), std::string(strings[1])};
  if (watch.path.starts_with('@')) {
    if (watch.path.size() > XENSTORE_REL_PATH_MAX) return failed(EINVAL);
  } else {
    if (!valid_path(watch.path)) return failed(EINVAL);
    if (!strings[0].starts_with('/')) watch.hidden = home_of(session.domain).size() + 1;
  }
  for (const Watch& other : session.watches)
    if (other.path == watch.path && other.token == watch.token) return failed(EEXIST);

  std::size_t watches = 0;
  for (const auto& [id, other] : sessions_)
    if (other.domain == session.domain) watches += other.watches.size();
  if (session.domain != 0 && watches >= quota_.watch_nb) return failed(E2BIG);
  session.watches.push_back(std::move(watch));
  return ok;
}

Machine::Reply Machine::remove_watch(Session& session, const Request& request) {
  const auto strings = strings_of(request.body);
  if (strings.size() != 2) return failed(EINVAL);
  const std::string path = absolute(session.domain, strings[0]);
  const auto found = std::find_if(
      session.watches.begin(), session.watches.end(),
      [&](const Watch& watch) { return watch.path == path && watch.token == strings[1]; });
  if (found == session.watches.end()) return failed(ENOENT);
  session.watches.erase(found);
  return ok;
}

Machine::Reply Machine::start_transaction(Session& session, const Request& request) {
  if (request.transaction != 0) return failed(EBUSY);
  std::size_t open = 0;
  for (const auto& [id, other] : sessions_)
    if (other.domain == session.domain) open += other.transactions.size();
  if (session.domain != 0 && open >= quota::transactions) return failed(ENOSPC);
  do ++session.last_transaction;
  while (session.last_transaction == 0 || session.transactions.contains(session.last_transaction));
  session.transactions.try_emplace(session.last_transaction, tree_, caller(session));
  return text(std::to_string(session.last_transaction));
}

Machine::Reply Machine::end_transaction(Session& session, const Request& request) {
  const auto verdict = only_string(request.body);
  if (!verdict || (*verdict != "T" && *verdict != "F")) return failed(EINVAL);
  auto ended = session.transactions.extract(request.transaction);
  if (!ended) return failed(ENOENT);
  if (*verdict == "F") return ok;
  return acknowledge(
      ended.mapped().commit([this](std::uint32_t domain) { return exists(domain); },
                            [this](const std::string& path, Scope scope,
                                   const Permissions* before) { notify(path, scope, before); }));
}

Machine::Reply Machine::perform_on_domains(const Request& request) {
  if (request.type == XS_CONTROL) return control(request);

  const auto strings = strings_of(request.body);
  const std::uint32_t domain = strings.empty() ? 0 : number_of(strings[0]);
  const auto id = static_cast<DomainId>(domain);
  if (request.type == XS_INTRODUCE) {  // domain, the frame of its ring (not used here), its port
    if (strings.size() < 3 || domain >= first_reserved) return failed(EINVAL);
    if (static_cast<std::int32_t>(number_of(strings[2])) <= 0) return failed(EINVAL);
    introduce(id);
    reset(id);
    return ok;
  }
  if (request.type == XS_SET_TARGET) {
    if (strings.size() < 2) return failed(EINVAL);
    const std::uint32_t target = number_of(strings[1]);
    if (!exists(domain) || !exists(target)) return failed(ENOENT);
    domains_[domain].target = static_cast<DomainId>(target);
    return ok;
  }
  if (!only_string(request.body)) return failed(EINVAL);
  if (request.type == XS_IS_DOMAIN_INTRODUCED)
    return text(domain == self || exists(domain) ? "T" : "F");
  if (domain == 0) return failed(EINVAL);
  if (!exists(domain)) return failed(ENOENT);
  if (request.type == XS_RELEASE) release(id);
  return ok;  // XS_RESUME: nothing is known here of a domain that is shut down
}

}  // namespace ringback::xenstore::server
