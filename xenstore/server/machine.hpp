// The store as a state machine without I/O: bytes of clients in, bytes for clients out. It is used
// from one thread, and nothing that a client sends makes it throw.
#pragma once

#include <atomic>
#include <map>
#include <optional>

#include "xenstore/server/quota.hpp"
#include "xenstore/server/session.hpp"

namespace ringback::xenstore::server {

using SessionId = std::uint64_t;

class Machine {
 public:
  explicit Machine(Quota quota = {});
  Machine(const Machine&) = delete;

  // A domain exists for the store from introduce() to release(); domain 0 always does. Both are
  // idempotent.
  void introduce(DomainId domain);
  // Ends its sessions, removes the nodes that it owns, and has "@releaseDomain" fire.
  void release(DomainId domain);
  bool exists(std::uint32_t domain) const { return domains_.contains(domain); }

  SessionId connect(DomainId domain);
  void disconnect(SessionId session);

  void receive(SessionId session, std::string_view bytes);
  // Goes on with what was received before, once answers have been taken. True if that did anything.
  bool serve(SessionId session);
  // False while an unprivileged domain leaves too many answers lying: then it is not to be read
  // from.
  bool wants_input(SessionId session) const;
  // True: to be disconnected.
  bool ended(SessionId session) const { return sessions_.at(session).ended; }
  Outbox& outbox(SessionId session) { return sessions_.at(session).outbox; }

  // How many requests it has handled; from any thread.
  std::uint64_t requests() const { return requests_; }

  // The nodes themselves, with watches fired on every change: for what acts as the toolstack here.
  View& nodes() { return nodes_; }

 private:
  using Reply = Outcome<std::string>;

  // Changes become visible at once.
  class Nodes : public View {
   public:
    explicit Nodes(Machine& machine) : machine_(machine) {}
    Outcome<const Node*> find(const std::string& path) override;
    void put(const std::string& path, Node node) override;
    void erase(const std::string& path) override;
    void changed(const std::string& path, Scope scope, const Permissions* before) override;
    std::size_t owned_by(std::uint32_t domain) const override;
    std::size_t room_of(std::uint32_t domain) const override;

   private:
    Machine& machine_;
  };

  struct Domain {
    std::optional<DomainId> target;
  };

  Caller caller(const Session& session) const;
  bool wants_input(const Session& session) const;
  bool may_see(const Caller& caller, const std::string& path, const Permissions* before) const;
  void notify(const std::string& path, Scope scope, const Permissions* before);
  void notify_special(const std::string& name);
  void reset(DomainId domain);

  void handle(Session& session, const Request& request);
  Reply perform(Session& session, const Request& request);
  Reply perform_on_nodes(View& view, const Session& session, const Request& request);
  Reply set_permissions_for(View& view, const Session& session, const Request& request);
  Reply perform_on_session(Session& session, const Request& request);
  Reply add_watch(Session& session, const Request& request);
  Reply remove_watch(Session& session, const Request& request);
  Reply start_transaction(Session& session, const Request& request);
  Reply end_transaction(Session& session, const Request& request);
  Reply perform_on_domains(const Request& request);

  const Quota quota_;
  Tree tree_;
  Nodes nodes_{*this};
  std::map<std::uint32_t, Domain> domains_;
  std::map<std::string, Permissions> special_;  // who may see "@..." events
  std::map<SessionId, Session> sessions_;       // oldest first
  SessionId last_session_ = 0;
  std::atomic<std::uint64_t> requests_ = 0;
};

}  // namespace ringback::xenstore::server
