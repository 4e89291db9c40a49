#include <algorithm>
#include <cerrno>

#include "conformance.hpp"

namespace conformance {

namespace {

void deliver(std::uint32_t domain) {
  xenevtchn_handle* const a = xenevtchn_open(nullptr, 0);
  xenevtchn_handle* const b = xenevtchn_open(nullptr, 0);
  claim("event channels can be opened", a != nullptr && b != nullptr);
  if (a == nullptr || b == nullptr) return;
  const int waiting = xenevtchn_bind_unbound_port(a, domain);
  const auto a_port = static_cast<evtchn_port_t>(waiting);
  claim("a port can wait for a domain", waiting > 0);
  const int joined = xenevtchn_bind_interdomain(b, domain, a_port);
  const auto b_port = static_cast<evtchn_port_t>(joined);
  claim("a waiting port can be joined", joined > 0);
  claim("joining makes the local port pending once", next_event(b) == joined);
  xenevtchn_unmask(b, b_port);
  claim("joining sends nothing to the other end", quiet(a));
  claim("a port that is joined can't be joined again",
        xenevtchn_bind_interdomain(b, domain, a_port) == -1 && errno == EINVAL);

  claim("a notification is delivered",
        xenevtchn_notify(b, b_port) == 0 && next_event(a) == waiting);
  xenevtchn_notify(b, b_port);
  claim("a delivered port is masked until it is unmasked", quiet(a));
  xenevtchn_unmask(a, a_port);
  claim("what came while it was masked is delivered at the unmask", next_event(a) == waiting);
  xenevtchn_unmask(a, a_port);
  claim("once", quiet(a));
  for (int i = 0; i < 3; ++i) xenevtchn_notify(b, b_port);
  claim("several notifications are one event", next_event(a) == waiting);
  xenevtchn_unmask(a, a_port);
  // Or two, where the first was under way before the others came (as it is on Xen).
  if (next_event(a, 50) == waiting) xenevtchn_unmask(a, a_port);
  claim("and no more", quiet(a));
  claim("both ends can notify", xenevtchn_notify(a, a_port) == 0 && next_event(b) == joined);
  xenevtchn_unmask(b, b_port);

  claim("a handle can't notify another handle's port",
        xenevtchn_notify(b, a_port) == -1 && errno == ENOTCONN);
  claim("a handle can't unbind another handle's port",
        xenevtchn_unbind(b, a_port) == -1 && errno == ENOTCONN);

  claim("a port can be unbound", xenevtchn_unbind(b, b_port) == 0);
  claim("an unbound port can't be notified",
        xenevtchn_notify(b, b_port) == -1 && errno == ENOTCONN);
  claim("a notification without another end is dropped", xenevtchn_notify(a, a_port) == 0);
  const int again = xenevtchn_bind_interdomain(b, domain, a_port);
  claim("the same remote port can be joined again after the first joiner left", again > 0);
  claim("and delivers", next_event(b) == again &&
                            xenevtchn_notify(b, static_cast<evtchn_port_t>(again)) == 0 &&
                            next_event(a) == waiting);
  xenevtchn_unmask(a, a_port);
  xenevtchn_close(b);
  xenevtchn_handle* const c = xenevtchn_open(nullptr, 0);
  claim("and after the joiner's handle was closed",
        xenevtchn_bind_interdomain(c, domain, a_port) > 0);
  xenevtchn_close(c);
  xenevtchn_close(a);
}

void refuse(std::uint32_t domain) {
  xenevtchn_handle* const events = xenevtchn_open(nullptr, 0);
  if (events == nullptr) return;
  claim("a port that nobody made can't be joined",
        xenevtchn_bind_interdomain(events, domain, 100000) == -1 && errno == EINVAL);
  claim("a port of a domain that is not there can't be joined",
        xenevtchn_bind_interdomain(events, 32000, 1) == -1 && errno == ESRCH);
  const int other = xenevtchn_bind_unbound_port(events, 32000);
  claim("a port may wait for a domain that is not there yet", other > 0);
  claim("a port that waits for one domain can't be joined by another",
        xenevtchn_bind_interdomain(events, domain, static_cast<evtchn_port_t>(other)) == -1 &&
            errno == EINVAL);
  xenevtchn_close(events);
}

void many(std::uint32_t domain) {
  constexpr int count = 200;
  xenevtchn_handle* const a = xenevtchn_open(nullptr, 0);
  xenevtchn_handle* const b = xenevtchn_open(nullptr, 0);
  if (a == nullptr || b == nullptr) return;
  std::vector<int> waiting;
  std::vector<int> joined;
  for (int i = 0; i < count; ++i) {
    waiting.push_back(xenevtchn_bind_unbound_port(a, domain));
    joined.push_back(
        xenevtchn_bind_interdomain(b, domain, static_cast<evtchn_port_t>(waiting.back())));
  }
  for (const int port : joined) xenevtchn_notify(b, static_cast<evtchn_port_t>(port));
  std::vector<int> seen;
  for (int port = next_event(a); port != -1 && seen.size() <= count; port = next_event(a, 50)) {
    seen.push_back(port);
    xenevtchn_unmask(a, static_cast<evtchn_port_t>(port));
  }
  std::ranges::sort(seen);
  std::ranges::sort(waiting);
  claim("200 ports notified at once are delivered each once", seen == waiting);
  xenevtchn_close(b);
  xenevtchn_close(a);
}

void with_another_process(std::uint32_t domain) {
  xenevtchn_handle* const events = xenevtchn_open(nullptr, 0);
  if (events == nullptr) return;
  const int port = xenevtchn_bind_unbound_port(events, domain);
  const auto text = std::to_string(port);
  {
    Peer peer;
    const auto joined = peer.tell("join " + std::to_string(domain) + " " + text);
    claim("another process can join", joined.size() == 1 && joined[0] > 0);
    peer.tell("notify " + std::to_string(joined.empty() ? 0 : joined[0]) + " 200");
    claim("waiting for an event blocks until there is one", xenevtchn_pending(events) == port);
    xenevtchn_unmask(events, static_cast<evtchn_port_t>(port));
    peer.kill();
  }
  xenevtchn_notify(events, static_cast<evtchn_port_t>(port));
  Peer next;
  const auto rejoined = next.tell("join " + std::to_string(domain) + " " + text);
  claim("the port of a process that was killed can be joined by its successor",
        rejoined.size() == 1 && rejoined[0] > 0);
  while (next_event(events, 50) == port) xenevtchn_unmask(events, static_cast<evtchn_port_t>(port));
  next.tell("notify " + std::to_string(rejoined.empty() ? 0 : rejoined[0]) + " 0");
  claim("and works", next_event(events) == port);
  xenevtchn_close(events);
}

}  // namespace

void check_events() {
  const std::uint32_t domain = own_domain();
  deliver(domain);
  refuse(domain);
  many(domain);
  with_another_process(domain);
}

}  // namespace conformance
