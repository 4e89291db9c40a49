#include <doctest/doctest.h>

#include <random>

#include "xenstore/server/domain_directory.hpp"
#include "xenstore/server/quota.hpp"
#include "xenstore/server/test_client.hpp"

using namespace ringback::xenstore::server;

namespace {

class Nonsense {
 public:
  explicit Nonsense(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }

  // Mostly something like a request, so that it gets past the first check; then some of its bits
  // are flipped.
  std::string message() {
    static const std::string words[] = {"/",
                                        "data",
                                        "/a/b",
                                        "data/x",
                                        "name",
                                        "",
                                        "@releaseDomain",
                                        "r1",
                                        "n0",
                                        "b2",
                                        "T",
                                        "F",
                                        "1",
                                        "0",
                                        "token",
                                        std::string(2100, 'y'),
                                        "//",
                                        "/local/domain/2"};
    std::string body;
    for (std::size_t i = below(4); i > 0; --i) {
      body += words[below(std::size(words))];
      if (below(8) != 0) body += '\0';
    }
    if (below(8) == 0) body += std::string(below(4000), static_cast<char>(below(256)));
    body.resize(std::min<std::size_t>(body.size(), XENSTORE_PAYLOAD_MAX));
    std::string bytes = TestClient::bytes(static_cast<std::uint32_t>(below(26)), body,
                                          static_cast<std::uint32_t>(below(3) ? 0 : below(12)));
    if (below(4) == 0)
      for (std::size_t i = below(4); i > 0; --i)
        bytes[below(bytes.size())] ^= static_cast<char>(1U << below(8));
    if (below(16) == 0) bytes.resize(below(bytes.size()));
    return bytes;
  }

 private:
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("200000 nonsensical messages of guests neither crash the store nor make it grow") {
  Machine machine;
  TestClient witness(machine, 0);
  for (const DomainId domain : {DomainId{1}, DomainId{2}}) {
    machine.introduce(domain);
    make_domain_directory(machine.nodes(), domain);
  }
  Nonsense nonsense(4711);
  std::vector<SessionId> sessions = {machine.connect(1), machine.connect(1), machine.connect(2)};
  std::size_t ended = 0, taken = 0;
  for (int i = 0; i < 200000; ++i) {
    SessionId& session = sessions[nonsense.below(sessions.size())];
    machine.receive(session, nonsense.message());
    Outbox& outbox = machine.outbox(session);
    for (std::size_t n = nonsense.below(8); n > 0 && !outbox.front().empty(); --n, ++taken)
      outbox.sent(1 + nonsense.below(outbox.front().size()));
    machine.serve(session);
    CHECK(outbox.answers() <= quota::outstanding);
    if (machine.ended(session) || !machine.wants_input(session)) {
      const DomainId domain = session == sessions[2] ? DomainId{2} : DomainId{1};
      machine.disconnect(session);
      session = machine.connect(domain);
      ++ended;
    }
  }
  CHECK(ended > 1000);
  CHECK(taken > 100000);
  for (const DomainId domain : {DomainId{1}, DomainId{2}})
    CHECK(machine.nodes().owned_by(domain) <= quota::nodes);
  CHECK(witness.list("/") == "tool local");
  CHECK(witness.read("/local/domain/1/name") == "domain-1");
}

TEST_CASE("20000 messages of domain 0 that may do anything leave a store that answers") {
  Machine machine;
  Nonsense nonsense(815);
  SessionId session = machine.connect(0);
  for (int i = 0; i < 20000; ++i) {
    machine.receive(session, nonsense.message());
    Outbox& outbox = machine.outbox(session);
    while (!outbox.front().empty()) outbox.sent(outbox.front().size());
    if (!machine.ended(session) && nonsense.below(100) != 0) continue;
    machine.disconnect(session);
    session = machine.connect(0);
  }
  TestClient witness(machine, 0);
  CHECK(witness.write("/still/here", "yes") == "OK");
  CHECK(witness.read("/still/here") == "yes");
}
