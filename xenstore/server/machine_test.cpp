#include "xenstore/server/machine.hpp"

#include <doctest/doctest.h>

#include "xenstore/server/domain_directory.hpp"
#include "xenstore/server/quota.hpp"
#include "xenstore/server/test_client.hpp"

using namespace ringback::xenstore::server;
using Events = std::vector<std::string>;

namespace {

// Domain 0, and domains 1 and 2 with the directories that a toolstack makes.
struct Store {
  Machine machine;
  TestClient dom0{machine, 0}, guest{machine, 1}, other{machine, 2};

  Store() {
    for (const DomainId domain : {DomainId{1}, DomainId{2}}) {
      machine.introduce(domain);
      make_domain_directory(machine.nodes(), domain);
    }
  }
};

// Makes nodes until it may not, a hundred in each directory: their names count for its size.
void fill(TestClient& guest) {
  const auto name = [](int i) {
    return "data/d" + std::to_string(i / 100) + "/" + std::to_string(i);
  };
  for (int i = 0; i < 2000 && guest.write(name(i), "") == "OK";) ++i;
}

}  // namespace

TEST_CASE_FIXTURE(Store, "the store begins with what xenstored begins with") {
  Machine fresh;
  TestClient client(fresh, 0);
  CHECK(client.list("/") == "tool");
  CHECK(client.list("/tool") == "xenstored");
  CHECK(client.ask(XS_GET_PERMS, {"/tool"}) == "n0");
}

TEST_CASE_FIXTURE(Store, "a write makes the parents it needs and they inherit permissions") {
  CHECK(dom0.write("/a/b/c", "value") == "OK");
  CHECK(dom0.read("/a/b/c") == "value");
  CHECK(dom0.read("/a/b") == "");
  CHECK(dom0.permit("/a", {"n1", "r2"}) == "OK");
  CHECK(dom0.write("/a/d/e", "") == "OK");
  CHECK(dom0.ask(XS_GET_PERMS, {"/a/d/e"}) == "n1 r2");
}

TEST_CASE_FIXTURE(Store, "what a guest makes belongs to it") {
  CHECK(guest.write("data/x/y", "1") == "OK");
  CHECK(dom0.ask(XS_GET_PERMS, {"/local/domain/1/data/x/y"}) == "n1");
  CHECK(dom0.permit("/local/domain/1", {"n0", "b1"}) == "OK");
  CHECK(guest.write("own", "1") == "OK");
  CHECK(dom0.ask(XS_GET_PERMS, {"/local/domain/1/own"}) == "n1 b1");
}

TEST_CASE_FIXTURE(Store, "a guest reads and writes only what permissions allow") {
  CHECK(guest.read("name") == "domain-1");
  CHECK(guest.write("name", "mine") == "EACCES");
  CHECK(guest.remove("name") == "EACCES");
  CHECK(other.read("/local/domain/1/name") == "EACCES");
  CHECK(other.list("/local/domain/1") == "EACCES");
  CHECK(guest.write("data/secret", "s") == "OK");
  CHECK(other.read("/local/domain/1/data/secret") == "EACCES");
  CHECK(guest.permit("data/secret", {"n1", "r2"}) == "OK");
  CHECK(other.read("/local/domain/1/data/secret") == "s");
  CHECK(other.write("/local/domain/1/data/secret", "t") == "EACCES");
}

TEST_CASE_FIXTURE(Store, "a guest can't tell a missing node from a forbidden one") {
  CHECK(other.read("/local/domain/1/data/missing") == "EACCES");
  CHECK(guest.read("data/missing") == "ENOENT");
}

TEST_CASE_FIXTURE(Store, "only the owner changes permissions and a guest can't give a node away") {
  CHECK(guest.permit("data", {"n1", "r2"}) == "OK");
  CHECK(other.permit("/local/domain/1/data", {"n2"}) == "EACCES");
  CHECK(guest.permit("data", {"n2"}) == "EPERM");
  CHECK(guest.permit("data", {"n1", "r2", "r0", "r2", "r0", "r2"}) == "ENOSPC");
  CHECK(dom0.permit("/tool", {"n77"}) == "ENOENT");
  CHECK(dom0.permit("/tool", {"q0"}) == "EINVAL");
}

TEST_CASE_FIXTURE(Store,
                  "removing takes all that is below and forgives a missing node in a directory") {
  dom0.write("/a/b/c", "");
  CHECK(dom0.remove("/a") == "OK");
  CHECK(dom0.read("/a/b/c") == "ENOENT");
  CHECK(dom0.list("/") == "tool local");
  CHECK(dom0.remove("/a") == "OK");
  CHECK(dom0.remove("/a/b") == "ENOENT");
  CHECK(dom0.remove("/") == "EINVAL");
}

TEST_CASE_FIXTURE(Store, "making a directory that is there is no error and changes nothing") {
  dom0.write("/a", "value");
  CHECK(dom0.ask(XS_MKDIR, {"/a"}) == "OK");
  CHECK(dom0.read("/a") == "value");
}

TEST_CASE_FIXTURE(Store, "a directory too long for one answer comes in parts") {
  std::string all;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "a-rather-long-name-" + std::to_string(i);
    dom0.write("/wide/" + name, "");
    all += name + ' ';
  }
  CHECK(dom0.list("/wide") == "E2BIG");
  std::string seen;
  for (std::string part = "?"; seen.size() < all.size() && !part.empty();) {
    const std::string answer = dom0.ask(XS_DIRECTORY_PART, {"/wide", std::to_string(seen.size())});
    part = answer.substr(answer.find(' ') + 1) + ' ';
    seen += part;
  }
  CHECK(seen == all);
}

TEST_CASE_FIXTURE(Store, "nothing of a transaction is seen before it is committed") {
  const std::uint32_t transaction = dom0.begin();
  dom0.watch("/a", "t");
  dom0.events();
  CHECK(dom0.write("/a/b", "1", transaction) == "OK");
  CHECK(dom0.read("/a/b", transaction) == "1");
  CHECK(dom0.read("/a/b") == "ENOENT");
  CHECK(dom0.events().empty());
  CHECK(dom0.commit(transaction) == "OK");
  CHECK(dom0.events() == Events{"/a/b t"});
  CHECK(dom0.read("/a/b") == "1");
  CHECK(dom0.commit(transaction) == "ENOENT");
}

TEST_CASE_FIXTURE(Store, "a transaction fails with EAGAIN if what it read was changed by others") {
  dom0.write("/a", "0");
  const std::uint32_t transaction = dom0.begin();
  CHECK(dom0.read("/a", transaction) == "0");
  dom0.write("/a", "1");
  CHECK(dom0.read("/a", transaction) == "0");
  dom0.write("/b", "1", transaction);
  CHECK(dom0.commit(transaction) == "EAGAIN");
  CHECK(dom0.read("/b") == "ENOENT");
}

TEST_CASE_FIXTURE(Store,
                  "of two transactions that write the same node the second to commit fails") {
  dom0.write("/a", "0");
  const std::uint32_t first = dom0.begin(), second = dom0.begin();
  dom0.write("/a", "1", first);
  dom0.write("/a", "2", second);
  CHECK(dom0.commit(first) == "OK");
  CHECK(dom0.commit(second) == "EAGAIN");
  CHECK(dom0.read("/a") == "1");
}

TEST_CASE_FIXTURE(Store,
                  "a node that was missing in a transaction and was made by others is a conflict") {
  const std::uint32_t transaction = dom0.begin();
  CHECK(dom0.read("/a", transaction) == "ENOENT");
  dom0.write("/a", "1");
  CHECK(dom0.commit(transaction) == "EAGAIN");
}

TEST_CASE_FIXTURE(Store, "transactions on different nodes don't hinder each other") {
  dom0.write("/a", "0");
  dom0.write("/b", "0");
  const std::uint32_t first = dom0.begin(), second = dom0.begin();
  dom0.write("/a", "1", first);
  dom0.write("/b", "1", second);
  CHECK(dom0.commit(first) == "OK");
  CHECK(dom0.commit(second) == "OK");
}

TEST_CASE_FIXTURE(Store, "an aborted transaction leaves no trace") {
  const std::uint32_t transaction = dom0.begin();
  dom0.write("/a", "1", transaction);
  CHECK(dom0.ask(XS_TRANSACTION_END, {"F"}, transaction) == "OK");
  CHECK(dom0.read("/a") == "ENOENT");
  CHECK(dom0.ask(XS_TRANSACTION_START, {""}, transaction) == "ENOENT");
  const std::uint32_t open = dom0.begin();
  CHECK(dom0.ask(XS_TRANSACTION_START, {""}, open) == "EBUSY");
}

TEST_CASE_FIXTURE(Store, "a watch fires at registration and on changes of the node and below") {
  CHECK(dom0.watch("/a", "t") == "OK");
  CHECK(dom0.events() == Events{"/a t"});
  dom0.write("/a/b/c", "");
  dom0.write("/ab", "");
  CHECK(dom0.events() == Events{"/a/b/c t"});
  CHECK(dom0.watch("/a", "t") == "EEXIST");
  CHECK(dom0.watch("/a", "u") == "OK");
  CHECK(dom0.watch("a b", "t") == "EINVAL");
  CHECK(dom0.ask(XS_UNWATCH, {"/a", "x"}) == "ENOENT");
  CHECK(dom0.ask(XS_UNWATCH, {"/a", "t"}) == "OK");
  dom0.events();
  dom0.write("/a", "");
  CHECK(dom0.events() == Events{"/a u"});
}

TEST_CASE_FIXTURE(Store, "removing a directory fires the watches of each node that vanishes") {
  dom0.write("/a/b/c", "");
  dom0.watch("/a/b/c", "deep");
  dom0.watch("/a/b", "middle");
  dom0.watch("/", "top");
  dom0.events();
  dom0.remove("/a");
  CHECK(dom0.events() == Events{"/a/b/c deep", "/a/b middle", "/a top"});
}

TEST_CASE_FIXTURE(Store, "a relative watch reports relative paths") {
  guest.watch("data", "t");
  CHECK(guest.events() == Events{"data t"});
  dom0.write("/local/domain/1/data/x", "1");
  CHECK(guest.events() == Events{"data/x t"});
}

TEST_CASE_FIXTURE(Store, "a domain learns nothing of nodes that it may not read") {
  guest.watch("/local/domain/2", "t");
  guest.events();
  other.write("data/x", "1");
  CHECK(guest.events().empty());
  other.permit("data/x", {"n2", "r1"});
  CHECK(guest.events() == Events{"/local/domain/2/data/x t"});
  other.permit("data/x", {"n2"});
  CHECK(guest.events() == Events{"/local/domain/2/data/x t"});
  other.write("data/x", "2");
  CHECK(guest.events().empty());
}

TEST_CASE_FIXTURE(Store, "domains that begin and end are told to domain 0 and to whom it permits") {
  for (TestClient* client : {&dom0, &guest}) {
    client->watch("@introduceDomain", "in");
    client->watch("@releaseDomain", "out");
    client->events();
  }
  machine.introduce(5);
  machine.introduce(5);
  machine.release(5);
  machine.release(5);
  CHECK(dom0.events() == Events{"@introduceDomain in", "@releaseDomain out"});
  CHECK(guest.events().empty());
  CHECK(dom0.permit("@releaseDomain", {"n0", "r1"}) == "OK");
  machine.introduce(5);
  machine.release(5);
  CHECK(guest.events() == Events{"@releaseDomain out"});
  CHECK(dom0.permit("@nonsense", {"n0"}) == "EINVAL");
  CHECK(guest.permit("@releaseDomain", {"n1"}) == "EACCES");
}

TEST_CASE_FIXTURE(Store, "nothing is left of a domain that has ended") {
  dom0.watch("/local/domain/1/data", "t");
  dom0.events();
  guest.watch("data", "t");
  const std::uint32_t transaction = guest.begin();
  guest.write("data/x", "1", transaction);
  dom0.write("/shared", "s");
  dom0.permit("/shared", {"n0", "r1"});
  CHECK(guest.read("/shared") == "s");

  CHECK(dom0.ask(XS_RELEASE, {"1"}) == "OK");
  CHECK(guest.ended());
  CHECK(dom0.read("/local/domain/1/data") == "ENOENT");
  CHECK(dom0.read("/local/domain/1/name") == "domain-1");
  CHECK(dom0.events() == Events{"/local/domain/1/data t"});
  CHECK(dom0.ask(XS_IS_DOMAIN_INTRODUCED, {"1"}) == "F");

  machine.introduce(1);
  TestClient successor(machine, 1);
  CHECK(successor.read("/shared") == "EACCES");
  CHECK(dom0.ask(XS_GET_PERMS, {"/shared"}) == "n0 r1");
}

TEST_CASE_FIXTURE(Store, "the root survives the end of the domain that owned it") {
  dom0.permit("/", {"n1"});
  machine.release(1);
  CHECK(dom0.ask(XS_GET_PERMS, {"/"}) == "n0");
  CHECK(dom0.read("/tool") == "");
}

TEST_CASE_FIXTURE(Store, "operations on domains are for domain 0") {
  for (const std::uint32_t type :
       {XS_INTRODUCE, XS_RELEASE, XS_RESUME, XS_SET_TARGET, XS_IS_DOMAIN_INTRODUCED, XS_CONTROL})
    CHECK(guest.ask(type, {"1", "2", "3"}) == "EACCES");
  CHECK(dom0.ask(XS_INTRODUCE, {"4", "1", "1"}) == "OK");
  CHECK(dom0.ask(XS_INTRODUCE, {"5", "1", "0"}) == "EINVAL");
  CHECK(dom0.ask(XS_INTRODUCE, {"99999", "1", "1"}) == "EINVAL");
  CHECK(dom0.ask(XS_IS_DOMAIN_INTRODUCED, {"4"}) == "T");
  CHECK(dom0.ask(XS_RESUME, {"4"}) == "OK");
  CHECK(dom0.ask(XS_RESUME, {"6"}) == "ENOENT");
  CHECK(dom0.ask(XS_RELEASE, {"0"}) == "EINVAL");
  CHECK(guest.ask(XS_GET_DOMAIN_PATH, {"7"}) == "/local/domain/7");
  CHECK(dom0.ask(XS_CONTROL, {"help"}) == "check\t\nhelp\t\n");
  CHECK(dom0.ask(XS_CONTROL, {"explode"}) == "EINVAL");
}

TEST_CASE_FIXTURE(Store, "a domain acts for its target") {
  CHECK(guest.read("/local/domain/2/data") == "EACCES");
  CHECK(dom0.ask(XS_SET_TARGET, {"1", "2"}) == "OK");
  CHECK(guest.read("/local/domain/2/data") == "");
  CHECK(dom0.ask(XS_SET_TARGET, {"1", "9"}) == "ENOENT");
}

TEST_CASE_FIXTURE(Store, "a guest that resets has neither watches nor transactions") {
  guest.watch("data", "t");
  const std::uint32_t transaction = guest.begin();
  CHECK(guest.ask(XS_RESET_WATCHES, {""}) == "OK");
  guest.events();
  guest.write("data", "1");
  CHECK(guest.events().empty());
  CHECK(guest.read("data", transaction) == "ENOENT");
}

TEST_CASE_FIXTURE(Store, "requests that don't exist or are misformed are answered with an error") {
  CHECK(dom0.ask(XS_WATCH_EVENT, {"/"}) == "ENOSYS");
  CHECK(dom0.ask(20, {"/"}) == "ENOSYS");
  CHECK(dom0.ask(12345, {"/"}) == "ENOSYS");
  CHECK(dom0.ask_raw(XS_READ, "/tool") == "EINVAL");
  CHECK(dom0.ask(XS_READ, {"/tool", "more"}) == "EINVAL");
  CHECK(dom0.ask_raw(XS_READ, "") == "EINVAL");
  CHECK(dom0.ask(XS_WATCH, {"/tool"}) == "EINVAL");
  CHECK(dom0.ask(XS_SET_PERMS, {"/tool"}) == "EINVAL");
  CHECK(dom0.ask(XS_TRANSACTION_END, {"X"}, dom0.begin()) == "EINVAL");
  CHECK(dom0.ask(XS_TRANSACTION_END, {"T"}) == "ENOENT");
}

TEST_CASE_FIXTURE(Store, "a guest owns at most 1000 nodes") {
  fill(guest);
  CHECK(machine.nodes().owned_by(1) == quota::nodes);
  CHECK(guest.write("data/more", "") == "ENOSPC");
  CHECK(guest.remove("data/d0/0") == "OK");
  CHECK(guest.write("data/a/b", "") == "ENOSPC");
  CHECK(guest.write("data/a", "") == "OK");
  CHECK(other.write("data/x", "") == "OK");
}

TEST_CASE("what a guest may own and watch is its store's owner's to say") {
  Machine machine({.entry_nb = 20, .watch_nb = 1});
  machine.introduce(1);
  make_domain_directory(machine.nodes(), 1);
  const std::size_t begun = machine.nodes().owned_by(1);
  REQUIRE(begun < 20);
  TestClient guest(machine, 1);
  for (std::size_t i = begun; i < 20; ++i)
    CHECK(guest.write("data/" + std::to_string(i), "") == "OK");
  CHECK(guest.write("data/more", "") == "ENOSPC");
  CHECK(guest.watch("data", "t") == "OK");
  CHECK(guest.watch("device", "t") == "E2BIG");
}

TEST_CASE_FIXTURE(Store, "a guest does not get past its 1000 nodes by a transaction") {
  fill(guest);
  guest.remove("data/d0/0");
  const std::uint32_t transaction = guest.begin();
  CHECK(guest.write("data/d1/x", "", transaction) == "OK");
  CHECK(guest.write("data/d1/y", "", transaction) == "OK");
  CHECK(guest.commit(transaction) == "ENOSPC");
  CHECK(machine.nodes().owned_by(1) == quota::nodes - 1);
}

TEST_CASE_FIXTURE(Store,
                  "a guest's node is at most 2 KiB and its transaction is lost if it tried more") {
  CHECK(guest.write("data/x", std::string(2000, 'x')) == "OK");
  CHECK(guest.write("data/x", std::string(2048, 'x')) == "ENOSPC");
  CHECK(dom0.write("/big", std::string(4000, 'x')) == "OK");
  const std::uint32_t transaction = guest.begin();
  CHECK(guest.write("data/x", std::string(2048, 'x'), transaction) == "ENOSPC");
  CHECK(guest.commit(transaction) == "ENOMEM");
}

TEST_CASE_FIXTURE(Store,
                  "a guest has at most 128 watches and 10 transactions on all its connections") {
  TestClient second(machine, 1);
  std::size_t watches = 0, transactions = 0;
  while (watches < 1000 &&
         (watches % 2 ? guest : second).watch("w" + std::to_string(watches), "t") == "OK")
    ++watches;
  CHECK(watches == quota::watches);
  CHECK(guest.watch("data", "t") == "E2BIG");
  while (transactions < 1000 && (transactions % 2 ? guest : second).begin() != 0) ++transactions;
  CHECK(transactions == quota::transactions);
  CHECK(guest.ask(XS_TRANSACTION_START, {""}) == "ENOSPC");
  machine.disconnect(second.session());
  CHECK(guest.begin() != 0);
  CHECK(guest.watch("data", "t") == "OK");
}

TEST_CASE_FIXTURE(Store, "a guest's transaction looks at no more than 1024 nodes") {
  const std::uint32_t transaction = guest.begin();
  std::size_t seen = 0;
  while (seen < 2000 && guest.read("data/" + std::to_string(seen), transaction) == "ENOENT") ++seen;
  CHECK(seen < quota::transaction_nodes);
  CHECK(guest.read("data/more", transaction) == "ENOSPC");
  CHECK(guest.commit(transaction) == "ENOMEM");
}

TEST_CASE_FIXTURE(Store, "a guest that takes no answers is read no further until it does") {
  const std::string request = TestClient::bytes(XS_READ, std::string("name\0", 5));
  for (int i = 0; i < 100; ++i) machine.receive(guest.session(), request);
  Outbox& outbox = machine.outbox(guest.session());
  CHECK(outbox.answers() == quota::outstanding);
  CHECK_FALSE(machine.wants_input(guest.session()));
  int answers = 0;
  do
    for (; !outbox.front().empty(); ++answers) outbox.sent(outbox.front().size());
  while (machine.serve(guest.session()));
  CHECK(answers == 100);
  CHECK(machine.wants_input(guest.session()));
}

TEST_CASE_FIXTURE(Store,
                  "a guest that takes no events loses them beyond a bound and never costs more") {
  guest.watch("/", std::string(1000, 't'));
  guest.events();
  dom0.permit("/", {"r0"});
  for (int i = 0; i < 10000; ++i) dom0.write("/n" + std::to_string(i % 4000), "");
  Outbox& outbox = machine.outbox(guest.session());
  CHECK(outbox.dropped_events() > 0);
  std::size_t bytes = 0;
  while (!outbox.front().empty()) {
    bytes += outbox.front().size();
    outbox.sent(outbox.front().size());
  }
  CHECK(bytes <= quota::backlog);
  dom0.write("/again", "");
  CHECK(guest.events().size() == 1);
}

TEST_CASE_FIXTURE(Store, "an event that waits already is not sent twice") {
  guest.watch("data", "t");
  guest.events();
  for (int i = 0; i < 10; ++i) dom0.write("/local/domain/1/data", std::to_string(i));
  CHECK(guest.events() == Events{"data t"});
}

TEST_CASE_FIXTURE(Store, "a request too long ends that connection and no other") {
  const xsd_sockmsg header = {XS_READ, 0, 0, XENSTORE_PAYLOAD_MAX + 1};
  machine.receive(guest.session(), {reinterpret_cast<const char*>(&header), sizeof header});
  CHECK(guest.ended());
  CHECK(other.read("name") == "domain-2");
}

TEST_CASE_FIXTURE(Store, "a request may come in any pieces") {
  const std::string request = TestClient::bytes(XS_READ, std::string("name\0", 5));
  for (const char& byte : request) {
    CHECK(machine.outbox(guest.session()).front().empty());
    machine.receive(guest.session(), {&byte, 1});
  }
  const std::string_view answer = machine.outbox(guest.session()).front();
  CHECK(answer.substr(sizeof(xsd_sockmsg)) == "domain-1");
}

TEST_CASE_FIXTURE(Store, "a domain's directory is as libxl makes it") {
  CHECK(dom0.ask(XS_GET_PERMS, {"/local/domain/1"}) == "n0 r1");
  CHECK(dom0.ask(XS_GET_PERMS, {"/local/domain/1/device"}) == "n0 r1");
  CHECK(dom0.ask(XS_GET_PERMS, {"/local/domain/1/data"}) == "n1");
  CHECK(guest.read("domid") == "1");
  CHECK(guest.write("drivers/x", "1") == "OK");
  CHECK(guest.write("device/vif/0/state", "1") == "EACCES");
  remove_domain_directory(machine.nodes(), 1);
  CHECK(dom0.read("/local/domain/1") == "ENOENT");
}
