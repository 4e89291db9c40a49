#include "xenstore/store.hpp"

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>

#include "xenstore/served_store.hpp"

using namespace ringback;
using namespace ringback::xenstore;

namespace {

std::string value_of(Store& store, const std::string& path) {
  return store.read(path)->value_or("(none)");
}

bool readable(const Store& store, int milliseconds = 5000) {
  pollfd waiting = {store.fd(), POLLIN, 0};
  return poll(&waiting, 1, milliseconds) == 1;
}

// The next event, waited for.
Result<std::optional<WatchEvent>> await_event(Store& store) {
  for (;;) {
    auto event = store.next_event();
    if (!event || *event || !readable(store)) return event;
  }
}

}  // namespace

TEST_CASE("a store that is not there is an error that names where it was looked for") {
  setenv("XENSTORED_PATH", "/nowhere/socket", 1);
  const auto store = Store::open();
  unsetenv("XENSTORED_PATH");
  REQUIRE_FALSE(store);
  CHECK(store.error().what.find("/nowhere/socket") != std::string::npos);
}

TEST_CASE("what is written is read and listed until it is removed") {
  ServedStore served;
  auto store = open_store();
  CHECK(value_of(store, "/a/b") == "(none)");
  CHECK(store.write("/a/b", "value"));
  CHECK(store.write("/a/empty", ""));
  CHECK(value_of(store, "/a/b") == "value");
  CHECK(value_of(store, "/a/empty") == "");
  auto names = *store.list("/a");
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"b", "empty"});
  CHECK(store.list("/a/empty")->empty());
  CHECK(store.list("/none")->empty());
  CHECK(store.make_directory("/a/c"));
  CHECK(store.remove("/a"));
  CHECK(store.remove("/a"));
  CHECK(value_of(store, "/a/b") == "(none)");
}

TEST_CASE("an error names the path and the reason") {
  ServedStore served;
  auto store = open_store();
  const auto result = store.write("/not a path//", "1");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == EINVAL);
  CHECK(result.error().what.find("/not a path//") != std::string::npos);
}

TEST_CASE("permissions are kept") {
  ServedStore served;
  auto store = open_store();
  const std::vector<Permission> permissions = {
      {3, false, false}, {0, true, false}, {5, true, true}};
  CHECK(store.write("/a", ""));
  CHECK(store.set_permissions("/a", permissions));
  CHECK(*store.permissions("/a") == permissions);
  CHECK_FALSE(store.permissions("/none"));
}

TEST_CASE("a transaction is all or nothing") {
  ServedStore served;
  auto store = open_store();
  CHECK(store.transact([](Transaction& transaction) { return transaction.write("/a", "1"); }));
  CHECK(value_of(store, "/a") == "1");
  const auto failed = store.transact([](Transaction& transaction) -> Result<void> {
    if (auto written = transaction.write("/a", "2"); !written) return written;
    return failure(EPERM, "changed my mind");
  });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().what == "changed my mind");
  CHECK(value_of(store, "/a") == "1");
}

TEST_CASE("a transaction that another client disturbed runs again") {
  ServedStore served;
  auto store = open_store();
  auto other = open_store();
  CHECK(store.write("/count", "0"));
  int runs = 0;
  CHECK(store.transact([&](Transaction& transaction) -> Result<void> {
    const auto before = *transaction.read("/count");
    if (++runs == 1) CHECK(other.write("/count", "5"));
    return transaction.write("/count", *before + "+1");
  }));
  CHECK(runs == 2);
  CHECK(value_of(store, "/count") == "5+1");
}

TEST_CASE("a transaction that is always disturbed is given up") {
  ServedStore served;
  auto store = open_store();
  auto other = open_store();
  int runs = 0;
  const auto result = store.transact(
      [&](Transaction& transaction) -> Result<void> {
        (void)transaction.read("/a");
        CHECK(other.write("/a", std::to_string(++runs)));
        return transaction.write("/a", "mine");
      },
      4);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == EAGAIN);
  CHECK(runs == 4);
}

TEST_CASE("a watch fires at once and then on every change below") {
  ServedStore served;
  auto store = open_store();
  auto other = open_store();
  CHECK(store.watch("/a", "mine"));
  auto event = await_event(store);
  REQUIRE((event && *event));
  CHECK((*event)->path == "/a");
  CHECK((*event)->token == "mine");
  CHECK(store.next_event()->has_value() == false);

  CHECK(other.write("/a/b", "1"));
  event = await_event(store);
  REQUIRE((event && *event));
  CHECK((*event)->path == "/a/b");

  store.unwatch("/a", "mine");
  CHECK(other.write("/a/b", "2"));
  CHECK_FALSE(readable(store, 50));
}

TEST_CASE("a connection that breaks makes the descriptor readable and is an error") {
  ServedStore served;
  auto store = open_store();
  CHECK(store.watch("/a", "mine"));
  CHECK(*await_event(store));
  served.stop();
  CHECK(readable(store));
  const auto event = store.next_event();
  REQUIRE_FALSE(event);
  CHECK(event.error().code == ECONNRESET);
}

TEST_CASE("this domain's number comes from the store") {
  ServedStore served;
  auto store = open_store();
  CHECK(*store.own_domain() == 0);
}
