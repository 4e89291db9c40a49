#include "backend/switch/group_table.hpp"

#include <algorithm>

namespace ringback::backend {
namespace {

constexpr std::size_t ways = 16;
// Seconds, by the protocols' defaults (RFC 3376, 8; RFC 3810, 9).
constexpr std::uint32_t robustness = 2;
constexpr std::uint32_t query_interval = 125;
constexpr std::uint32_t response_time = 10;
constexpr std::uint32_t membership_interval = robustness * query_interval + response_time;  // 260
// Other Querier Present; Linux's bridge takes it for routers of any kind.
constexpr std::uint32_t querier_present = robustness * query_interval + response_time / 2;  // 255
// A router may be in so many groups more, those of the routers of VLANs.
constexpr std::size_t router_reserve = 16;

constexpr bool reached(std::uint32_t time, std::uint32_t now) {
  return static_cast<std::int32_t>(now - time) >= 0;
}
bool lasts(const std::atomic<std::uint32_t>& until, std::uint32_t now) {
  const std::uint32_t time = until.load(std::memory_order_acquire);
  return time != 0 && static_cast<std::int32_t>(time - now) >= 0;
}
constexpr std::uint32_t after(std::uint32_t now, std::uint32_t seconds) {
  const std::uint32_t time = now + seconds;
  return time != 0 ? time : 1;
}
constexpr std::uint32_t seconds_of(std::uint32_t milliseconds) {
  return (milliseconds + 999) / 1000;
}

// MurmurHash3's finaliser.
constexpr std::uint64_t mix(std::uint64_t hash) {
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
  return hash ^ hash >> 33;
}

}  // namespace

GroupTable::GroupTable(std::uint64_t seed, Limits limits)
    : seed_(seed),
      limits_(limits),
      keys_(std::make_unique<std::atomic<Key>[]>(limits.groups)),
      entries_(std::make_unique<Entry[]>(limits.groups)) {}

// A hash takes the group's place. Two of the same would share their members, which is no more than
// joining both does, and costs frames to nobody who joined one.
GroupTable::Key GroupTable::key_of(VlanId vlan, const net::MulticastGroup& group) const {
  const Key key = mix(mix(mix(seed_ ^ group.high) ^ group.low) ^ vlan);
  return key != 0 ? key : 1;
}

GroupTable::Key GroupTable::key_of_routers(VlanId vlan, net::Family family) const {
  return key_of(vlan,
                family == net::Family::ipv4 ? net::MulticastGroup::ipv4(0) : net::MulticastGroup{});
}

std::optional<std::size_t> GroupTable::find(Key key) const {
  const std::size_t bucket = key & (limits_.groups - 1) & ~(ways - 1);
  for (std::size_t place = bucket; place < bucket + ways; ++place)
    if (keys_[place].load(std::memory_order_acquire) == key) return place;
  return std::nullopt;
}

GroupTable::Members GroupTable::members(Key key, std::uint32_t now) const {
  const auto place = find(key);
  if (!place) return {};
  const Entry& entry = entries_[*place];
  Members result;
  const std::size_t end = ports_end_.load(std::memory_order_acquire);
  for (std::size_t port = 0; port < end; ++port) {
    if (!lasts(entry.until[port], now)) continue;
    result.ports.add(static_cast<PortNumber>(port));
    result.any = true;
  }
  result.answered =
      lasts(entry.queried, now) && reached(entry.answered.load(std::memory_order_relaxed), now);
  // If another has got the place meanwhile, what was read may be the other's (a seqlock's check:
  // who sees the new one's times sees its key).
  if (keys_[*place].load(std::memory_order_relaxed) != key) return {};
  return result;
}

std::optional<PortSet> GroupTable::receivers(VlanId vlan, const net::MulticastGroup& group,
                                             std::uint32_t now) const {
  if (net::always_flooded(group)) return std::nullopt;
  const Members routers = members(key_of_routers(vlan, group.family()), now);
  if (!routers.any || !routers.answered) return std::nullopt;
  Members joined = members(key_of(vlan, group), now);
  if (!joined.any) return std::nullopt;
  const std::size_t end = ports_end_.load(std::memory_order_acquire);
  for (std::size_t index = 0; index < end; ++index) {
    const auto port = static_cast<PortNumber>(index);
    if (routers.ports.contains(port) || lasts(everything_[port], now)) joined.ports.add(port);
  }
  return joined.ports;
}

std::optional<PortSet> GroupTable::routers(VlanId vlan, net::Family family,
                                           std::uint32_t now) const {
  const Members routers = members(key_of_routers(vlan, family), now);
  if (!routers.any) return std::nullopt;
  return routers.ports;
}

void GroupTable::learn(VlanId vlan, PortNumber port, const net::MembershipMessage& message,
                       std::uint32_t now) {
  const auto* const query = std::get_if<net::Query>(&message);
  const auto* const reports = std::get_if<net::Reports>(&message);
  const auto* const router = std::get_if<net::RouterPresent>(&message);
  if (query == nullptr && reports == nullptr && router == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (query != nullptr) learn_query(vlan, port, *query, now);
  if (reports != nullptr) learn_reports(vlan, port, *reports, now);
  if (router != nullptr)
    join(key_of_routers(vlan, router->family), port, limits_.groups_per_port + router_reserve,
         after(now, querier_present), now);
}

void GroupTable::learn_query(VlanId vlan, PortNumber port, const net::Query& query,
                             std::uint32_t now) {
  const std::uint32_t response = seconds_of(query.max_response);
  if (query.group && !query.of_sources) {
    // It is asked twice, a response time apart, and who then has not answered has left (Last Member
    // Query Time: RFC 3376, 8.8). That holds for ports that said so, so that a forged query costs
    // nobody else his frames; IGMPv1 hosts, which answer late, keep a router from asking.
    const auto place = find(key_of(vlan, *query.group));
    if (place) {
      Entry& entry = entries_[*place];
      const std::uint32_t until = after(now, robustness * std::max(response, 1U));
      for (std::size_t one = 0; one < PortSet::capacity; ++one) {
        if (entry.leaving[one] && lasts(entry.until[one], until))
          entry.until[one].store(until, std::memory_order_release);
      }
    }
  }
  if (!query.from_router) return;
  Entry* const routers =
      join(key_of_routers(vlan, query.family), port, limits_.groups_per_port + router_reserve,
           after(now, querier_present), now);
  if (routers == nullptr || query.group) return;
  // The querier's values may lengthen how long a report holds. If they could shorten it, a forged
  // query could end memberships before the true querier asks again.
  const std::uint32_t sent = std::max<std::uint32_t>(robustness, query.robustness);
  routers->membership =
      sent * std::max(query_interval, query.interval) + std::max(response_time, response);
  // The first query after a silence: until it has been answered by all it is not known what they
  // want (as Linux's bridge waits).
  if (!lasts(routers->queried, now))
    routers->answered.store(after(now, std::max(response_time, response) + 1),
                            std::memory_order_relaxed);
  routers->queried.store(after(now, querier_present), std::memory_order_release);
}

void GroupTable::learn_reports(VlanId vlan, PortNumber port, const net::Reports& reports,
                               std::uint32_t now) {
  const auto routers = find(key_of_routers(vlan, reports.family));
  const std::uint32_t until =
      after(now, std::max(membership_interval, routers ? entries_[*routers].membership : 0));
  for (const auto& [group, joins] : reports.changes()) {
    if (net::always_flooded(group)) continue;
    const Key key = key_of(vlan, group);
    if (joins) {
      join(key, port, limits_.groups_per_port, until, now);
    } else if (const auto place = find(key); place && port < PortSet::capacity) {
      entries_[*place].leaving.set(port);
    }
  }
  if (reports.truncated) give_everything(port, until);
}

// Nothing if there is no room: the port gets everything instead.
GroupTable::Entry* GroupTable::join(Key key, PortNumber port, std::size_t limit,
                                    std::uint32_t until, std::uint32_t now) {
  if (port >= PortSet::capacity) return nullptr;
  Entry* entry = take_place(key, port, limit);
  if (entry == nullptr && swept_ != now) {  // at most once a second: it looks at everything
    sweep(now);
    entry = take_place(key, port, limit);
  }
  if (entry == nullptr) {
    give_everything(port, until);
    return nullptr;
  }
  raise_end(port);
  entry->until[port].store(until, std::memory_order_release);
  entry->leaving.reset(port);
  return entry;
}

GroupTable::Entry* GroupTable::take_place(Key key, PortNumber port, std::size_t limit) {
  auto place = find(key);
  if (place && entries_[*place].until[port].load(std::memory_order_relaxed) != 0)
    return &entries_[*place];
  if (joined_[port] >= limit) return nullptr;
  if (!place) {
    const std::size_t bucket = key & (limits_.groups - 1) & ~(ways - 1);
    for (std::size_t free = bucket; free < bucket + ways && !place; ++free)
      if (keys_[free].load(std::memory_order_relaxed) == 0) place = free;
    if (!place) return nullptr;
    Entry& entry = entries_[*place];  // without members, as sweep() left it
    entry.queried.store(0, std::memory_order_relaxed);
    entry.membership = 0;
    keys_[*place].store(key, std::memory_order_release);
  }
  ++joined_[port];
  return &entries_[*place];
}

void GroupTable::give_everything(PortNumber port, std::uint32_t until) {
  if (port >= PortSet::capacity) return;
  raise_end(port);
  everything_[port].store(until, std::memory_order_release);
}

void GroupTable::raise_end(PortNumber port) {
  if (port >= ports_end_.load(std::memory_order_relaxed))
    ports_end_.store(std::size_t{port} + 1, std::memory_order_release);
}

void GroupTable::sweep(std::uint32_t now) {
  swept_ = now;
  const std::size_t end = ports_end_.load(std::memory_order_relaxed);
  for (std::size_t place = 0; place < limits_.groups; ++place) {
    if (keys_[place].load(std::memory_order_relaxed) == 0) continue;
    Entry& entry = entries_[place];
    bool any = false;
    for (std::size_t port = 0; port < end; ++port) {
      if (entry.until[port].load(std::memory_order_relaxed) == 0) continue;
      if (lasts(entry.until[port], now)) {
        any = true;
        continue;
      }
      entry.until[port].store(0, std::memory_order_release);
      entry.leaving.reset(port);
      --joined_[port];
    }
    if (!any) keys_[place].store(0, std::memory_order_release);
  }
}

void GroupTable::admit(PortNumber port, std::uint32_t now) {
  const std::lock_guard lock(mutex_);
  give_everything(port, after(now, membership_interval));
}

void GroupTable::forget(PortNumber port) {
  if (port >= PortSet::capacity) return;
  const std::lock_guard lock(mutex_);
  for (std::size_t place = 0; place < limits_.groups; ++place) {
    entries_[place].until[port].store(0, std::memory_order_release);
    entries_[place].leaving.reset(port);
  }
  everything_[port].store(0, std::memory_order_release);
  joined_[port] = 0;
}

}  // namespace ringback::backend
