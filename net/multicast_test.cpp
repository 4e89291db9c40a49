#include "net/multicast.hpp"

#include <doctest/doctest.h>

#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;

constexpr auto group = MulticastGroup::ipv4(0xef010203);  // 239.1.2.3
constexpr auto other_group = MulticastGroup::ipv4(0xef010204);
constexpr MulticastGroup group_v6{0xff15000000000000, 0x1234};
constexpr MulticastGroup other_group_v6{0xff15000000000000, 0x1235};
constexpr MulticastGroup all_nodes{0xff02000000000000, 1};
constexpr MulticastGroup link_local{0xfe80000000000000, 7};

void append(Octets& octets, std::size_t size, std::uint64_t value) {
  for (std::size_t i = size; i-- > 0;) {
    octets.push_back(static_cast<std::uint8_t>(value >> 8 * i & 0xff));
  }
}
void append(Octets& octets, const Octets& more) {
  octets.insert(octets.end(), more.begin(), more.end());
}
void append_group(Octets& octets, const MulticastGroup& of) {
  if (of.family() == Family::ipv4) return append(octets, 4, of.low & 0xffffffff);
  append(octets, 8, of.high);
  append(octets, 8, of.low);
}

// A packet that is right; a test then breaks one thing.
struct Packet {
  Octets message;  // its checksum is filled in
  std::uint32_t destination = 0xe0000016;
  std::uint32_t source = 0x0a000001;
  std::uint8_t ttl = 1;
  std::uint8_t protocol = 2;
  Octets options{0x94, 4, 0, 0};
  std::uint64_t mac = 0;  // 0: the destination's
  std::size_t vlan_tags = 0;
  std::uint16_t fragment = 0;
};

Octets frame_of(Packet packet, std::uint16_t checksum_error = 0, std::uint16_t ip_error = 0) {
  Octets o;
  append(o, 6, packet.mac != 0 ? packet.mac : 0x01005e000000 | (packet.destination & 0x7fffff));
  append(o, 6, 0x00163e000001);
  for (std::size_t i = 0; i < packet.vlan_tags; ++i) append(o, 4, 0x81000005);
  append(o, 2, 0x0800);
  const std::size_t ip = o.size();
  const std::size_t header = 20 + packet.options.size();
  append(o, 2, (0x40 + header / 4) << 8);
  append(o, 2, header + packet.message.size());
  append(o, 4, packet.fragment);
  append(o, 2, packet.ttl * 256U + packet.protocol);
  append(o, 2, 0);
  append(o, 4, packet.source);
  append(o, 4, packet.destination);
  append(o, packet.options);
  put(o, ip + 10, 2, (0xffff - reference_sum(o, ip, o.size())) ^ ip_error);
  put(packet.message, 2, 2, 0);
  put(packet.message, 2, 2,
      (0xffff - reference_sum(packet.message, 0, packet.message.size())) ^ checksum_error);
  append(o, packet.message);
  return o;
}

struct PacketV6 {
  Octets message;
  MulticastGroup destination{0xff02000000000000, 0x16};
  MulticastGroup source = link_local;
  std::uint8_t hop_limit = 1;
  std::uint8_t protocol = 58;
  Octets extension{58, 0, 5, 2, 0, 0, 1, 0};
  std::uint64_t mac = 0;
};

Octets frame_of(PacketV6 packet, std::uint16_t checksum_error = 0) {
  Octets o;
  append(o, 6,
         packet.mac != 0 ? packet.mac : 0x333300000000 | (packet.destination.low & 0xffffffff));
  append(o, 6, 0x00163e000001);
  append(o, 2, 0x86dd);
  append(o, 4, 0x60000000);
  append(o, 2, packet.extension.size() + packet.message.size());
  append(o, 1, packet.extension.empty() ? packet.protocol : 0);
  append(o, 1, packet.hop_limit);
  Octets pseudo;
  append_group(pseudo, packet.source);
  append_group(pseudo, packet.destination);
  append(o, pseudo);
  append(o, packet.extension);
  append(pseudo, 4, packet.message.size());
  append(pseudo, 4, packet.protocol);
  put(packet.message, 2, 2, 0);
  append(pseudo, packet.message);
  put(packet.message, 2, 2, (0xffff - reference_sum(pseudo, 0, pseudo.size())) ^ checksum_error);
  append(o, packet.message);
  return o;
}

MembershipMessage parse(const Octets& octets, std::size_t head = head_size) {
  const Exactly exactly(bytes(octets), std::min(head, octets.size()));
  const auto headers = parse_headers(exactly.span(), octets.size());
  REQUIRE(headers);
  return parse_membership(exactly.span(), *headers);
}
template <typename Kind, typename... Arguments>
Kind parse_as(Arguments&&... of) {
  const MembershipMessage parsed = parse(std::forward<Arguments>(of)...);
  REQUIRE(std::holds_alternative<Kind>(parsed));
  return std::get<Kind>(parsed);
}
template <typename Kind>
bool is(const Octets& octets) {
  return std::holds_alternative<Kind>(parse(octets));
}

std::vector<Reports::Change> changes_in(const Octets& octets) {
  const auto reports = parse_as<Reports>(octets);
  CHECK_FALSE(reports.truncated);
  return {reports.changes().begin(), reports.changes().end()};
}
using Changes = std::vector<Reports::Change>;

Octets igmp(std::uint8_t type, std::uint8_t code, MulticastGroup of, const Octets& rest = {}) {
  Octets message{type, code, 0, 0};
  append_group(message, of);
  append(message, rest);
  return message;
}
constexpr auto no_group = MulticastGroup::ipv4(0);
Packet general_query(std::uint8_t code, const Octets& rest = {}) {
  return {.message = igmp(0x11, code, no_group, rest), .destination = 0xe0000001};
}
Packet group_query(std::uint8_t code, const Octets& rest = {}) {
  return {.message = igmp(0x11, code, group, rest), .destination = 0xef010203};
}

Octets mld(std::uint8_t type, std::uint16_t delay, MulticastGroup of, const Octets& rest = {}) {
  Octets message{type, 0, 0, 0};
  append(message, 4, std::uint32_t{delay} << 16);
  append_group(message, of);
  append(message, rest);
  return message;
}
PacketV6 general_query_v6(std::uint16_t delay, const Octets& rest = {}) {
  return {.message = mld(130, delay, {}, rest), .destination = all_nodes};
}

struct Record {
  std::uint8_t type;
  MulticastGroup of;
  std::size_t sources = 0;
  std::uint8_t more_words = 0;
};
Octets records(const std::vector<Record>& list) {
  Octets message{0x22, 0, 0, 0, 0, 0};
  append(message, 2, list.size());
  for (const Record& record : list) {
    if (record.of.family() == Family::ipv6) message[0] = 143;
    append(message, 1, record.type);
    append(message, 1, record.more_words);
    append(message, 2, record.sources);
    append_group(message, record.of);
    for (std::size_t i = 0; i < record.sources; ++i) {
      if (record.of.family() == Family::ipv6) append(message, 8, 0x20010db800000000);
      append(message, record.of.family() == Family::ipv6 ? 8 : 4, 0x0a000009);
    }
    append(message, Octets(record.more_words * std::size_t{4}, 0xee));
  }
  return message;
}

}  // namespace

TEST_CASE("the group of a frame is its destination if the MAC address is the group's") {
  const auto group_in = [](const Octets& octets) {
    return group_of(bytes(octets), parse_headers(bytes(octets), octets.size()).value());
  };
  const Octets message = igmp(0, 0, no_group);
  CHECK(group_in(frame_of(Packet{.message = message, .destination = 0xef010203})) == group);
  CHECK(group_in(frame_of(Packet{.message = message, .destination = 0xe9810203})) ==
        MulticastGroup::ipv4(0xe9810203));  // 32 groups share a MAC address (RFC 1112, 6.4)
  CHECK(group_in(frame_of(PacketV6{.message = message, .destination = group_v6})) == group_v6);
  CHECK(group_in(frame_of(Packet{.message = message, .destination = 0xef010203, .vlan_tags = 2})) ==
        group);

  CHECK_FALSE(group_in(
      frame_of(Packet{.message = message, .destination = 0xef010203, .mac = 0x01005e010204})));
  CHECK_FALSE(group_in(
      frame_of(Packet{.message = message, .destination = 0xef010203, .mac = 0xffffffffffff})));
  CHECK_FALSE(group_in(frame_of(Packet{.message = message, .destination = 0x0a010203})));
  CHECK_FALSE(group_in(frame_of(PacketV6{.message = message, .destination = link_local})));
  CHECK_FALSE(group_in(frame_of(
      PacketV6{.message = message, .destination = {0, 0xffffe0010203}, .mac = 0x01005e010203})));
  Octets arp(60);
  put(arp, 0, 4, 0x01005e01);
  put(arp, 12, 2, 0x0806);
  CHECK_FALSE(group_in(arp));
}

TEST_CASE("the groups that nobody needs to join are those of RFC 4541 and RFC 3810") {
  CHECK(always_flooded(MulticastGroup::ipv4(0xe0000001)));
  CHECK(always_flooded(MulticastGroup::ipv4(0xe00000fb)));
  CHECK_FALSE(always_flooded(MulticastGroup::ipv4(0xe0000101)));
  CHECK_FALSE(always_flooded(group));
  CHECK(always_flooded(all_nodes));
  CHECK(always_flooded({0xff01000000000000, 0xfb}));
  CHECK_FALSE(always_flooded({0xff02000000000000, 0xfb}));
  CHECK_FALSE(always_flooded({0xff02000000000000, 0x1ff000001}));  // solicited-node
  CHECK_FALSE(always_flooded(group_v6));
}

TEST_CASE("what is neither IGMP nor MLD nor a router's is ordinary") {
  constexpr std::uint8_t protocols[] = {6, 17};
  for (unsigned seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    CHECK(is<Ordinary>(random_frame(random, protocols[seed % 2], 300).octets));
  }
  CHECK(is<Ordinary>(Octets(60)));
  CHECK(is<Ordinary>(frame_of(PacketV6{.message = mld(135, 0, link_local)})));  // a neighbour's
}

// RFC 3376, 7.1; 4.1.1 and 4.1.7 for the floating-point codes.
TEST_CASE("a general query of each version of IGMP tells how long hosts may take") {
  Packet old = general_query(0);
  old.options = {};
  auto query = parse_as<Query>(frame_of(old));
  CHECK(query.version == 1);
  CHECK(query.max_response == 10'000);

  query = parse_as<Query>(frame_of(general_query(100)));
  CHECK(query.family == Family::ipv4);
  CHECK(query.version == 2);
  CHECK_FALSE(query.group);
  CHECK(query.from_router);
  CHECK(query.max_response == 10'000);
  CHECK(query.interval == 0);

  query = parse_as<Query>(frame_of(general_query(100, {2, 125, 0, 0})));
  CHECK(query.version == 3);
  CHECK(query.max_response == 10'000);
  CHECK(query.robustness == 2);
  CHECK(query.interval == 125);

  query = parse_as<Query>(frame_of(general_query(0x80, {0x0f, 0xff, 0, 0})));
  CHECK(query.max_response == 12'800);
  CHECK(query.robustness == 7);
  CHECK(query.interval == 31744);
}

TEST_CASE("a query of a group names it and whether it is of certain sources only") {
  auto query = parse_as<Query>(frame_of(group_query(10)));
  CHECK(query.group == group);
  CHECK(query.max_response == 1000);
  CHECK_FALSE(query.of_sources);
  query = parse_as<Query>(frame_of(group_query(10, {2, 125, 0, 0})));
  CHECK_FALSE(query.of_sources);
  query = parse_as<Query>(frame_of(group_query(10, {2, 125, 0, 1, 10, 0, 0, 9})));
  CHECK(query.group == group);
  CHECK(query.of_sources);
}

// RFC 4541, 2.1.1 (1 b).
TEST_CASE("a query from 0.0.0.0 is not from a router") {
  Packet proxy = general_query(100);
  proxy.source = 0;
  CHECK_FALSE(parse_as<Query>(frame_of(proxy)).from_router);
}

// RFC 3376, 4 (TTL), 4.1.12 and 9.1 (destination, router alert), 7.1 (length).
TEST_CASE("a query that not every host would answer is malformed") {
  const auto with = [](auto change) {
    Packet packet = general_query(100, {2, 125, 0, 0});
    change(packet);
    return frame_of(packet);
  };
  REQUIRE(is<Query>(with([](Packet&) {})));
  CHECK(is<Malformed>(with([](Packet& p) { p.options = {}; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.options = {0x94, 4, 0, 1}; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.options = {0x44, 9, 0, 0}; })));
  CHECK(is<Query>(with([](Packet& p) { p.options = {1, 0x44, 3, 0, 0x94, 4, 0, 0}; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.ttl = 2; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.destination = 0xe0000002; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.destination = 0x0a000002; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.mac = 0x00163e000002; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.mac = 0x01005e000002; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.source = 0x7f000001; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.source = 0xe0000001; })));
  CHECK(is<Malformed>(with([](Packet& p) { p.message.resize(11); })));
  CHECK(is<Malformed>(with([](Packet& p) { p.message.resize(7); })));
  CHECK(is<Malformed>(with([](Packet& p) { p.message[11] = 1; })));  // a source that isn't there
  CHECK(is<Malformed>(with([](Packet& p) { p.message.resize(400); })));  // can't be verified here

  Packet of_group = group_query(10);
  of_group.destination = 0xe0000001;
  CHECK(is<Malformed>(frame_of(of_group)));
  CHECK(is<Malformed>(frame_of(group_query(0))));  // IGMPv1 knows none
  CHECK(is<Malformed>(frame_of(general_query(10, {2, 125, 0, 1, 10, 0, 0, 9}))));
}

TEST_CASE("a report of IGMPv1 or IGMPv2 is a join and a leave is one") {
  CHECK(changes_in(frame_of(Packet{.message = igmp(0x12, 0, group), .options = {}})) ==
        Changes{{group, true}});
  CHECK(changes_in(frame_of(Packet{.message = igmp(0x16, 0, group)})) == Changes{{group, true}});
  CHECK(changes_in(frame_of(Packet{.message = igmp(0x17, 0, group)})) == Changes{{group, false}});
  // A proxy's, RFC 4541, 2.1.1 (2).
  CHECK(changes_in(frame_of(Packet{.message = igmp(0x16, 0, group), .source = 0})) ==
        Changes{{group, true}});
  CHECK(
      is<Malformed>(frame_of(Packet{.message = igmp(0x16, 0, MulticastGroup::ipv4(0x0a000001))})));
}

// RFC 3376, 4.2.12 and 6.4; RFC 3810, 5.2.12 and 7.4.
TEST_CASE("only a record that wants no source of a group leaves it") {
  const auto said = [](std::uint8_t type, std::size_t sources) {
    const auto v4 = changes_in(frame_of(Packet{.message = records({{type, group, sources}})}));
    const auto v6 = changes_in(frame_of(PacketV6{.message = records({{type, group_v6, sources}})}));
    REQUIRE(v4.size() == v6.size());
    if (v4.empty()) return std::optional<bool>();
    CHECK(v4 == Changes{{group, v4[0].join}});
    CHECK(v6 == Changes{{group_v6, v4[0].join}});
    return std::optional(v4[0].join);
  };
  CHECK(said(1, 1) == true);  // IS_IN
  CHECK(said(2, 0) == true);  // IS_EX
  CHECK(said(2, 1) == true);
  CHECK(said(3, 0) == false);  // TO_IN
  CHECK(said(3, 1) == true);
  CHECK(said(4, 0) == true);  // TO_EX
  CHECK(said(4, 1) == true);
  CHECK(said(5, 1) == true);  // ALLOW
  // These say nothing of the whole group.
  CHECK_FALSE(said(1, 0));
  CHECK_FALSE(said(5, 0));
  CHECK_FALSE(said(6, 1));  // BLOCK
  CHECK_FALSE(said(0, 1));
  CHECK_FALSE(said(7, 1));
}

TEST_CASE("a record is found behind the sources and the data of those before it") {
  CHECK(changes_in(frame_of(
            Packet{.message = records({{4, group, 3, 2}, {6, group, 1}, {3, other_group}})})) ==
        Changes{{group, true}, {other_group, false}});
  CHECK(changes_in(
            frame_of(PacketV6{.message = records({{4, group_v6, 3, 2}, {3, other_group_v6}})})) ==
        Changes{{group_v6, true}, {other_group_v6, false}});
  CHECK(changes_in(frame_of(Packet{.message = records({})})).empty());
}

TEST_CASE("records past the head are known to be missing") {
  const auto reports =
      parse_as<Reports>(frame_of(Packet{.message = records(std::vector<Record>(30, {4, group}))}));
  CHECK(reports.truncated);
  CHECK(reports.count == (head_size - 14 - 24 - 8) / 8);
  // The last one's sources are past it, but nothing else is.
  const Octets long_one = frame_of(Packet{.message = records({{4, group, 100}})});
  CHECK_FALSE(parse_as<Reports>(long_one).truncated);
  const Octets another = frame_of(Packet{.message = records({{4, group, 100}, {4, other_group}})});
  CHECK(parse_as<Reports>(another).truncated);
  const Octets v6 = frame_of(PacketV6{.message = records(std::vector<Record>(10, {4, group_v6}))});
  CHECK(parse_as<Reports>(v6).truncated);
}

TEST_CASE("more records than are counted here are known to be missing whatever the head") {
  const Octets octets =
      frame_of(Packet{.message = records(std::vector<Record>(Reports::capacity + 1, {4, group}))});
  const auto reports = parse_as<Reports>(octets, octets.size());
  CHECK(reports.truncated);
  CHECK(reports.count == Reports::capacity);
}

TEST_CASE("records that do not fit into their packet are malformed") {
  Octets message = records({{4, group, 1}});
  put(message, 10, 2, 2);
  CHECK(is<Malformed>(frame_of(Packet{.message = message})));
  message = records({{4, group}});
  put(message, 6, 2, 2);
  CHECK(is<Malformed>(frame_of(Packet{.message = message})));
  message = records({{4, group}});
  put(message, 9, 1, 1);
  CHECK(is<Malformed>(frame_of(Packet{.message = message})));
  Octets padded = frame_of(Packet{.message = message});
  padded.resize(padded.size() + 20);
  CHECK(is<Malformed>(padded));
  CHECK(
      is<Malformed>(frame_of(Packet{.message = records({{4, MulticastGroup::ipv4(0x0a000001)}})})));
  CHECK(is<Malformed>(frame_of(PacketV6{.message = records({{4, link_local}})})));
}

// RFC 4541, 2.1.1 (5).
TEST_CASE("nothing is learned where a checksum is wrong or the hop limit is not 1") {
  const Packet v4{.message = igmp(0x16, 0, group)};
  CHECK(is<Malformed>(frame_of(v4, 1)));
  CHECK(is<Malformed>(frame_of(v4, 0, 1)));
  CHECK(is<Malformed>(frame_of(Packet{.message = v4.message, .ttl = 64})));
  const PacketV6 v6{.message = mld(131, 0, group_v6)};
  CHECK(is<Malformed>(frame_of(v6, 1)));
  CHECK(is<Malformed>(frame_of(PacketV6{.message = v6.message, .hop_limit = 255})));
}

TEST_CASE("a fragment of IGMP is malformed") {
  CHECK(is<Malformed>(frame_of(Packet{.message = igmp(0x16, 0, group), .fragment = 0x2000})));
  CHECK(is<Malformed>(frame_of(Packet{.message = igmp(0x16, 0, group), .fragment = 1})));
}

// RFC 4541, 2.1.1 (3).
TEST_CASE("IGMP of an unknown kind is told from what goes by its group") {
  CHECK(is<Unrecognised>(frame_of(Packet{.message = igmp(0x13, 0, group)})));
}

TEST_CASE("queries of MLDv1 and MLDv2 tell what those of IGMP do") {
  auto query = parse_as<Query>(frame_of(general_query_v6(10'000)));
  CHECK(query.family == Family::ipv6);
  CHECK(query.version == 1);
  CHECK_FALSE(query.group);
  CHECK(query.from_router);
  CHECK(query.max_response == 10'000);
  query = parse_as<Query>(frame_of(general_query_v6(0x8001, {2, 125, 0, 0})));
  CHECK(query.version == 2);
  CHECK(query.max_response == 0x1001 << 3);  // RFC 3810, 5.1.3
  CHECK(query.robustness == 2);
  CHECK(query.interval == 125);
  query = parse_as<Query>(
      frame_of(PacketV6{.message = mld(130, 1000, group_v6), .destination = group_v6}));
  CHECK(query.group == group_v6);
}

// RFC 3810, 5, 5.1.15 and 6.2.
TEST_CASE("an MLD query that not every node would answer is malformed") {
  const auto with = [](auto change) {
    PacketV6 packet = general_query_v6(1000, {2, 125, 0, 0});
    change(packet);
    return frame_of(packet);
  };
  REQUIRE(is<Query>(with([](PacketV6&) {})));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.extension = {}; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.extension = {58, 0, 1, 4, 0, 0, 0, 0}; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.extension = {58, 0, 5, 2, 0, 1, 1, 0}; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.extension = {58, 0, 0, 0, 0, 0, 0, 5}; })));
  CHECK(is<Query>(with([](PacketV6& p) { p.extension = {58, 0, 1, 0, 5, 2, 0, 0}; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.source = {}; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.source = {0x20010db800000000, 1}; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.destination = group_v6; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.mac = 0x00163e000002; })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.message.resize(27); })));
  CHECK(is<Malformed>(with([](PacketV6& p) { p.message.resize(20); })));
}

TEST_CASE("a report of MLDv1 is a join and a done is a leave") {
  CHECK(changes_in(frame_of(PacketV6{.message = mld(131, 0, group_v6)})) ==
        Changes{{group_v6, true}});
  CHECK(changes_in(frame_of(PacketV6{.message = mld(132, 0, group_v6)})) ==
        Changes{{group_v6, false}});
  CHECK(parse_as<Reports>(frame_of(PacketV6{.message = mld(131, 0, group_v6)})).family ==
        Family::ipv6);
}

// RFC 3810, 5.2.13: that is for snooping switches.
TEST_CASE("a node that has no address yet may report") {
  CHECK(changes_in(frame_of(PacketV6{.message = records({{4, group_v6}}), .source = {}})) ==
        Changes{{group_v6, true}});
}

TEST_CASE("an MLD record can't name a group of IPv4") {
  Octets message = records({{4, group_v6}});
  put(message, 12, 4, 0);
  put(message, 16, 4, 0);
  put(message, 20, 4, 0xffff);
  put(message, 24, 4, 0xef010203);
  CHECK(is<Malformed>(frame_of(PacketV6{.message = message})));
}

TEST_CASE("a router is known by its PIM Hello and by its Advertisement") {
  const Octets hello{0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105};
  const Octets advertisement{0x30, 20, 0, 0, 0, 125, 0, 2};
  const Packet pim{.message = hello, .destination = 0xe000000d, .protocol = 103, .options = {}};
  CHECK(parse_as<RouterPresent>(frame_of(pim)).family == Family::ipv4);
  CHECK(is<Malformed>(frame_of(pim, 1)));
  CHECK(is<RouterPresent>(frame_of(Packet{.message = advertisement, .destination = 0xe000006a})));

  const PacketV6 pim_v6{
      .message = hello, .destination = {0xff02000000000000, 0xd}, .protocol = 103, .extension = {}};
  CHECK(parse_as<RouterPresent>(frame_of(pim_v6)).family == Family::ipv6);
  CHECK(is<Malformed>(frame_of(pim_v6, 1)));
  CHECK(is<RouterPresent>(frame_of(PacketV6{.message = {151, 20, 0, 0, 0, 125, 0, 2},
                                            .destination = {0xff02000000000000, 0x6a}})));

  Packet join_prune = pim;
  join_prune.message[0] = 0x23;
  CHECK(is<Ordinary>(frame_of(join_prune)));
  Packet elsewhere = pim;
  elsewhere.destination = 0x0a000002;
  CHECK(is<Ordinary>(frame_of(elsewhere)));
}

TEST_CASE("membership is told behind VLAN tags too and with padding behind it") {
  Octets octets = frame_of(Packet{.message = igmp(0x16, 0, group), .vlan_tags = 2});
  octets.resize(octets.size() + 14, 0xee);
  CHECK(changes_in(octets) == Changes{{group, true}});
}

TEST_CASE("no head that is cut or has random bytes is read past its end") {
  const std::vector<Octets> frames = {
      frame_of(general_query(100, {2, 125, 0, 0})),
      frame_of(group_query(10, {2, 125, 0, 1, 10, 0, 0, 9})),
      frame_of(Packet{.message = igmp(0x17, 0, group), .options = {}}),
      frame_of(Packet{.message = records({{4, group, 3, 2}, {3, other_group}}), .vlan_tags = 1}),
      frame_of(
          Packet{.message = Octets{0x20, 0, 0, 0}, .destination = 0xe000000d, .protocol = 103}),
      frame_of(general_query_v6(0x8001, {2, 125, 0, 0})),
      frame_of(PacketV6{.message = mld(132, 0, group_v6)}),
      frame_of(PacketV6{.message = records({{4, group_v6, 3, 2}, {3, other_group_v6}})}),
      frame_of(PacketV6{.message = {151, 20, 0, 0, 0, 125, 0, 2}}),
  };
  const auto look = [](const Octets& octets, std::size_t size) {
    const Exactly head(bytes(octets), size);
    const auto headers = parse_headers(head.span(), octets.size());
    if (!headers) return;
    static_cast<void>(group_of(head.span(), *headers));
    const auto parsed = parse_membership(head.span(), *headers);
    if (const auto* reports = std::get_if<Reports>(&parsed)) {
      CHECK(reports->count <= Reports::capacity);
      for (const auto& change : reports->changes()) CHECK(change.group.family() == reports->family);
    }
  };
  for (const Octets& frame : frames)
    for (std::size_t size = 0; size <= frame.size(); ++size) look(frame, size);
  Random random(1);
  for (int i = 0; i < 50'000; ++i) {
    Octets octets = frames[below(random, frames.size())];
    for (std::size_t j = 1 + below(random, 6); j > 0; --j) {
      octets[12 + below(random, octets.size() - 12)] = static_cast<std::uint8_t>(random());
    }
    look(octets, below(random, octets.size() + 1));
  }
}

}  // namespace ringback::net
