#include "backend/switch/group_table.hpp"

#include <doctest/doctest.h>

#include <set>
#include <thread>
#include <vector>

using namespace ringback;
using namespace ringback::backend;
using net::Family;
using net::MulticastGroup;

namespace {

constexpr std::uint64_t seed = 42;
constexpr VlanId vlan = 5;
constexpr auto group = MulticastGroup::ipv4(0xef010203);
constexpr MulticastGroup group_v6{0xff15000000000000, 0x1234};
constexpr PortNumber router = 0;

MulticastGroup numbered(std::uint32_t number) {
  return MulticastGroup::ipv4(0xef800000 + number);
}

net::Query general_query(Family family = Family::ipv4) {
  return {.family = family, .version = 2, .from_router = true, .max_response = 10'000};
}
net::Query query_of(MulticastGroup of, bool of_sources = false) {
  return {.family = of.family(),
          .version = 2,
          .group = of,
          .of_sources = of_sources,
          .from_router = true,
          .max_response = 1000};
}
net::Reports report(std::initializer_list<net::Reports::Change> changes) {
  net::Reports reports;
  reports.family = changes.begin()->group.family();
  for (const auto& change : changes) reports.list[reports.count++] = change;
  return reports;
}
net::Reports join(MulticastGroup of) {
  return report({{of, true}});
}
net::Reports leave(MulticastGroup of) {
  return report({{of, false}});
}

// A table and its clock; a querier is behind port 0, and hosts are behind the others.
struct World {
  explicit World(GroupTable::Limits limits = {}) : table(seed, limits) {}

  void hear(PortNumber port, const net::MembershipMessage& message, VlanId on = vlan) {
    table.learn(on, port, message, now);
  }
  // A query, and enough time to answer it.
  void ask(Family family = Family::ipv4, VlanId on = vlan) {
    hear(router, general_query(family), on);
    now += 11;
  }
  // Time goes by with a query every 125 s.
  void wait_with_queries(std::uint32_t seconds) {
    for (; seconds > 125; seconds -= 125) {
      now += 125;
      hear(router, general_query());
    }
    now += seconds;
  }

  using Ports = std::set<PortNumber>;
  static std::optional<Ports> list(const std::optional<PortSet>& set) {
    if (!set) return std::nullopt;
    Ports ports;
    for (PortNumber port = 0; port < 10; ++port)
      if (set->contains(port)) ports.insert(port);
    return ports;
  }
  std::optional<Ports> receivers(MulticastGroup of = group, VlanId on = vlan) const {
    return list(table.receivers(on, of, now));
  }
  std::optional<Ports> routers(Family family = Family::ipv4) const {
    return list(table.routers(vlan, family, now));
  }

  GroupTable table;
  std::uint32_t now = 1000;
};
using Ports = World::Ports;
constexpr auto everybody = std::nullopt;

}  // namespace

TEST_CASE("a group goes to its members and to the routers") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.hear(3, join(group));
  CHECK(world.receivers() == Ports{router, 1, 3});
}

TEST_CASE("a group that nobody has joined and one that needs no joining go to everybody") {
  World world;
  world.ask();
  CHECK(world.receivers() == everybody);
  const auto mdns = MulticastGroup::ipv4(0xe00000fb);
  world.hear(1, join(mdns));
  CHECK(world.receivers(mdns) == everybody);
}

TEST_CASE("VLANs and families are apart") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.hear(2, join(group), vlan + 1);
  world.hear(3, join(group_v6));
  CHECK(world.receivers() == Ports{router, 1});
  CHECK(world.receivers(group, vlan + 1) == everybody);  // no querier there
  CHECK(world.receivers(group_v6) == everybody);
  world.ask(Family::ipv4, vlan + 1);
  world.ask(Family::ipv6);
  CHECK(world.receivers(group, vlan + 1) == Ports{router, 2});
  CHECK(world.receivers(group_v6) == Ports{router, 3});
}

TEST_CASE("nothing is held back before every host has had the time to answer the first query") {
  World world;
  world.hear(1, join(group));
  CHECK(world.receivers() == everybody);
  world.hear(router, general_query());
  CHECK(world.receivers() == everybody);
  world.now += 10;
  CHECK(world.receivers() == everybody);
  world.now += 1;
  CHECK(world.receivers() == Ports{router, 1});
  // Later queries do not start that anew.
  world.hear(router, general_query());
  CHECK(world.receivers() == Ports{router, 1});
}

TEST_CASE("a query that gives hosts more time is given it") {
  World world;
  world.hear(1, join(group));
  net::Query slow = general_query();
  slow.max_response = 60'000;
  world.hear(router, slow);
  world.now += 60;
  CHECK(world.receivers() == everybody);
  world.now += 1;
  CHECK(world.receivers() == Ports{router, 1});
}

// Other Querier Present Interval, RFC 3376, 8.5.
TEST_CASE("without a querier for 255 s nothing is held back") {
  World world;
  world.hear(router, general_query());
  world.hear(1, join(group));
  world.now += 255;
  CHECK(world.receivers() == Ports{router, 1});
  world.now += 1;
  CHECK(world.receivers() == everybody);
  world.hear(router, general_query());  // and who is back has to wait again
  CHECK(world.receivers() == everybody);
}

// Group Membership Interval, RFC 3376, 8.4.
TEST_CASE("a membership that is not reported again ends after 260 s") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.wait_with_queries(200);
  world.hear(2, join(group));
  world.wait_with_queries(60);
  CHECK(world.receivers() == Ports{router, 1, 2});
  world.now += 1;
  CHECK(world.receivers() == Ports{router, 2});
  world.wait_with_queries(200);
  CHECK(world.receivers() == everybody);
}

TEST_CASE("a querier's values lengthen a membership and never shorten it") {
  World world;
  net::Query query = general_query();
  query.version = 3;
  query.robustness = 3;
  query.interval = 200;
  world.hear(router, query);
  world.hear(1, join(group));
  query.robustness = 1;
  query.interval = 1;
  query.max_response = 100;
  world.now += 11;
  world.hear(9, query);
  world.hear(2, join(group));
  world.wait_with_queries(255);
  CHECK(world.receivers() == Ports{router, 1, 2, 9});
  world.wait_with_queries(610 - 255 - 11);
  CHECK(world.receivers() == Ports{router, 1});
  world.wait_with_queries(1000);
  CHECK(world.receivers() == everybody);
}

// RFC 4541, 2.1.1 (1).
TEST_CASE("reports go to routers only and to everybody while none is known") {
  World world;
  CHECK(world.routers() == everybody);
  world.hear(1, join(group));
  CHECK(world.routers() == everybody);
  world.hear(router, general_query());
  CHECK(world.routers() == Ports{router});
  CHECK(world.routers(Family::ipv6) == everybody);
  world.now += 256;
  CHECK(world.routers() == everybody);
}

TEST_CASE("a query from 0.0.0.0 makes neither a querier nor a router") {
  World world;
  net::Query proxy = general_query();
  proxy.from_router = false;
  world.hear(router, proxy);
  world.hear(1, join(group));
  world.now += 20;
  CHECK(world.receivers() == everybody);
  CHECK(world.routers() == everybody);
}

TEST_CASE("a router that does not query gets frames and reports but nobody is held back for it") {
  World world;
  world.hear(4, net::RouterPresent{Family::ipv4});
  world.hear(1, join(group));
  world.now += 20;
  CHECK(world.receivers() == everybody);
  CHECK(world.routers() == Ports{4});
  world.ask();
  CHECK(world.receivers() == Ports{router, 1, 4});
  CHECK(world.routers() == Ports{router, 4});
}

// Last Member Query Time, RFC 3376, 8.8.
TEST_CASE("who leaves is a member until the querier has asked and got no answer") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.hear(2, join(group));
  world.hear(1, leave(group));
  world.now += 10;
  CHECK(world.receivers() == Ports{router, 1, 2});
  world.hear(router, query_of(group));
  world.now += 2;
  CHECK(world.receivers() == Ports{router, 1, 2});
  world.now += 1;
  CHECK(world.receivers() == Ports{router, 2});
}

TEST_CASE("a port where one host leaves stays if another answers") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.hear(1, leave(group));
  world.hear(router, query_of(group));
  world.hear(1, join(group));
  world.hear(router, query_of(group));
  world.now += 10;
  CHECK(world.receivers() == Ports{router, 1});
}

TEST_CASE("a query of a group costs nobody frames who did not leave it") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.hear(2, join(group));
  world.hear(2, leave(group));
  world.hear(7, query_of(group, true));  // of sources: who wants others does not answer
  world.now += 10;
  CHECK(world.receivers() == Ports{router, 1, 2, 7});
  world.hear(7, query_of(group));
  world.now += 10;
  CHECK(world.receivers() == Ports{router, 1, 7});
}

TEST_CASE("a leave of what was never joined changes nothing") {
  World world;
  world.ask();
  world.hear(1, leave(group));
  world.hear(300, leave(group));
  world.hear(router, query_of(group));
  world.now += 10;
  CHECK(world.receivers() == everybody);
}

TEST_CASE("a port that joins more groups than it may gets everything and the others do not") {
  World world({.groups = 1024, .groups_per_port = 4});
  world.ask();
  world.hear(2, join(group));
  for (std::uint32_t i = 0; i < 4; ++i) world.hear(1, join(numbered(i)));
  CHECK(world.receivers() == Ports{router, 2});
  world.hear(1, join(numbered(4)));
  CHECK(world.receivers() == Ports{router, 1, 2});
  CHECK(world.receivers(numbered(4)) == everybody);  // nobody is known to be in it
  world.hear(3, join(numbered(4)));
  CHECK(world.receivers(numbered(4)) == Ports{router, 1, 3});

  // What it does not join again makes room.
  world.wait_with_queries(200);
  for (std::uint32_t i = 2; i < 4; ++i) world.hear(1, join(numbered(i)));
  world.hear(2, join(group));
  world.wait_with_queries(61);
  world.hear(1, join(numbered(4)));
  CHECK(world.receivers() == Ports{router, 2});
  CHECK(world.receivers(numbered(4)) == Ports{router, 1});
}

TEST_CASE("a port whose joins would fill the table costs nobody a frame") {
  World world({.groups = 16, .groups_per_port = 64});
  world.ask();
  for (std::uint32_t i = 0; i < 100; ++i) world.hear(1, join(numbered(i)));
  world.hear(2, join(group));  // finds no room
  CHECK(world.receivers() == everybody);
  CHECK(world.receivers(numbered(0)) == Ports{router, 1, 2});
  // When the others have expired there is.
  world.wait_with_queries(260);
  world.hear(2, join(group));
  world.now += 1;
  world.hear(2, join(group));
  CHECK(world.receivers() == Ports{router, 2});
}

TEST_CASE("a router that is in as many groups as it may is still known as one") {
  World world({.groups = 1024, .groups_per_port = 4});
  for (std::uint32_t i = 0; i < 10; ++i) world.hear(router, join(numbered(i)));
  world.ask();
  world.hear(1, join(group));
  CHECK(world.routers() == Ports{router});
  CHECK(world.receivers() == Ports{router, 1});
}

TEST_CASE("queries on all VLANs by one port leave room for the others") {
  World world({.groups = 256, .groups_per_port = 4});
  for (VlanId on = 0; on < 4096; ++on) world.hear(9, general_query(), on);
  world.now += 1;
  world.hear(router, general_query(), 4095);
  world.hear(1, join(group), 4095);
  world.now += 11;
  CHECK(world.receivers(group, 4095) == Ports{router, 1, 9});  // 9: there was no room for it
}

TEST_CASE("a port that reports more than can be read gets everything") {
  World world;
  world.ask();
  world.hear(2, join(group));
  net::Reports reports = join(numbered(1));
  reports.truncated = true;
  world.hear(1, reports);
  CHECK(world.receivers() == Ports{router, 1, 2});
  CHECK(world.receivers(numbered(1)) == Ports{router, 1});
  world.wait_with_queries(125);
  world.hear(2, join(group));
  world.wait_with_queries(136);
  CHECK(world.receivers() == Ports{router, 2});
}

TEST_CASE("a port with a number too high gets everything") {
  World world;
  world.ask();
  world.hear(PortSet::capacity, join(group));
  CHECK(world.receivers() == everybody);
  world.hear(1, join(group));
  CHECK(world.table.receivers(vlan, group, world.now)->contains(PortSet::capacity));
  CHECK(world.table.receivers(vlan, group, world.now)->contains(0xfffe));
  world.hear(0xfffe, general_query(), vlan + 1);  // and is no querier
  world.hear(1, join(group), vlan + 1);
  world.now += 20;
  CHECK(world.receivers(group, vlan + 1) == everybody);
  world.table.admit(0xfffe, world.now);
  world.table.forget(0xfffe);
}

TEST_CASE("a new port gets everything until it must have been asked") {
  World world;
  world.ask();
  world.hear(2, join(group));
  world.table.admit(1, world.now);
  CHECK(world.receivers() == Ports{router, 1, 2});
  world.wait_with_queries(200);
  world.hear(2, join(group));
  world.now += 61;
  CHECK(world.receivers() == Ports{router, 2});
}

TEST_CASE("a port that has gone is in no group and no router any more") {
  World world;
  world.ask();
  world.hear(1, join(group));
  world.hear(2, join(group));
  world.hear(2, net::RouterPresent{Family::ipv4});
  world.table.admit(2, world.now);
  world.table.forget(2);
  CHECK(world.receivers() == Ports{router, 1});
  world.table.forget(router);
  CHECK(world.routers() == everybody);
  CHECK(world.receivers() == everybody);
}

TEST_CASE("a clock that runs over does not matter") {
  World world;
  world.now = 0xffffffff - 100;
  world.ask();
  world.hear(1, join(group));
  world.wait_with_queries(200);
  CHECK(world.receivers() == Ports{router, 1});
  world.wait_with_queries(61);
  CHECK(world.receivers() == everybody);
}

TEST_CASE("a message that tells nothing teaches nothing") {
  World world;
  world.hear(router, net::Ordinary{});
  world.hear(router, net::Malformed{});
  world.hear(router, net::Unrecognised{});
  CHECK(world.routers() == everybody);
}

TEST_CASE("who reads while others write misses no member that stays") {
  GroupTable table(seed, {.groups = 32, .groups_per_port = 8});
  constexpr std::uint32_t start = 1000;
  constexpr int rounds = 3000;
  table.learn(vlan, router, general_query(), start);
  table.learn(vlan, 1, join(group), start);
  std::atomic<std::uint32_t> now = start + 11;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&] {
      while (!done) {
        const auto set = table.receivers(vlan, group, now);
        if (set && !(set->contains(1) && set->contains(router))) ++wrong;
        // One that comes and goes: its place is never taken for that of the group before or after.
        const auto other = table.receivers(vlan, numbered(7), now);
        if (other && !other->contains(2)) ++wrong;
      }
    });
  }
  // Groups of port 3 end and make room for others', again and again.
  std::thread writer([&] {
    for (int i = 0; i < rounds; ++i) {
      table.learn(vlan, 3, join(numbered(100 + static_cast<std::uint32_t>(i))), now);
      if (i % 16 == 0) {
        table.forget(3);
        now += 1;
        table.learn(vlan, 1, join(group), now);
        table.learn(vlan, 2, join(numbered(7)), now);
        table.learn(vlan, router, general_query(), now);
      }
      if (i % 64 == 0) table.forget(2);
    }
  });
  writer.join();
  done = true;
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}
