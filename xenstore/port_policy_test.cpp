#include "xenstore/port_policy.hpp"

#include <doctest/doctest.h>

#include <ostream>

using namespace ringback::xenstore;
using ringback::net::VlanId;

namespace {

std::vector<VlanId> all_of(const std::bitset<4096>& set) {
  std::vector<VlanId> vlans;
  for (std::size_t vlan = 0; vlan < set.size(); ++vlan)
    if (set[vlan]) vlans.push_back(static_cast<VlanId>(vlan));
  return vlans;
}

std::string refusal(const Keys& keys) {
  const auto policy = parse_port_policy(keys);
  return policy ? "" : policy.error().what;
}

}  // namespace

TEST_CASE("a vif without keys of the switch is in all VLANs and has no limits") {
  CHECK(parse_port_policy({{"mac", "00:16:3e:00:00:01"}, {"vlan", ""}}).value() == PortPolicy{});
}

TEST_CASE("an access port is in one VLAN without tags") {
  const auto vlans = parse_vlans("10p").value();
  CHECK(all_of(vlans.members) == std::vector<VlanId>{10});
  CHECK(vlans.untagged == vlans.members);
  CHECK(vlans.for_untagged == VlanId{10});
}

TEST_CASE("a trunk has an own VLAN and others with their tags") {
  const auto vlans = parse_vlans("10p/100+10x4/7-9/3000u").value();
  CHECK(all_of(vlans.members) == std::vector<VlanId>{7, 8, 9, 10, 100, 110, 120, 130, 3000});
  CHECK(all_of(vlans.untagged) == std::vector<VlanId>{10, 3000});
  CHECK(vlans.for_untagged == VlanId{10});
  CHECK_FALSE(parse_vlans("7-9u/5").value().for_untagged);
  CHECK(all_of(parse_vlans("7-9u/5").value().untagged) == std::vector<VlanId>{7, 8, 9});
}

TEST_CASE("a VLAN key that is none is refused with its text and what it should be") {
  for (const char* text : {"0", "4095", "x", "10pp", "p", "10-9", "10-4095", "4090+2x4", "10+1x0",
                           "10+x4", "/10", "10//11", "1p/2p", "1-2p", "10 ", "-5", "+5x2"}) {
    CAPTURE(text);
    const auto vlans = parse_vlans(text);
    REQUIRE_FALSE(vlans);
    CHECK(vlans.error().what.find("vlan = ") == 0);
    CHECK(vlans.error().what.find("should be") != std::string::npos);
  }
}

TEST_CASE(
    "addresses that are there for good are in the VLAN they name or in the one without tags") {
  const Mac one{0, 0x16, 0x3e, 0, 0, 1};
  const Mac two{0, 0x16, 0x3e, 0, 0, 2};
  const char* macs = "00:16:3e:00:00:01  00:16:3e:00:00:02@30";
  const std::vector<StaticMac> plain{{one, 0}, {two, 30}};
  const std::vector<StaticMac> tagged{{one, 20}, {two, 30}};
  CHECK(parse_port_policy({{"ringback/macs", macs}})->macs == plain);
  CHECK(parse_port_policy({{"ringback/macs", macs}, {"vlan", "20p/30"}})->macs == tagged);
  CHECK(refusal({{"ringback/macs", macs}, {"vlan", "20/30"}}).find("ringback/macs = ") == 0);
  CHECK(refusal({{"ringback/macs", "00:16:3e:00:00"}}).find("ringback/macs = ") == 0);
  // The first mistake is the one that is told.
  CHECK(refusal({{"ringback/macs", macs}, {"vlan", "20q"}}).find("vlan = ") == 0);
  CHECK(refusal({{"ringback/macs", "x"}, {"vlan", "20p"}}).find("like 00:16:3e") !=
        std::string::npos);
  CHECK(refusal({{"ringback/macs", "00:16:3e:00:00:01@5000"}}).find("ringback/macs = ") == 0);
}

TEST_CASE("a mirror watches all ports or those that it names") {
  CHECK(parse_port_policy({{"ringback/mirror", "all"}})->mirror->of.empty());
  CHECK(parse_port_policy({{"ringback/mirror", "vif1.0 up-x"}})->mirror->of ==
        std::vector<std::string>{"vif1.0", "up-x"});
  CHECK_FALSE(parse_port_policy({{"ringback/mirror", " "}})->mirror);
  CHECK(refusal({{"ringback/mirror", "all vif1.0"}}).find("ringback/mirror = ") == 0);
}

TEST_CASE("isolation and the limit of flooded frames are numbers in their ranges") {
  CHECK(parse_port_policy({{"ringback/isolated", "1"}})->isolated);
  CHECK(parse_port_policy({{"ringback/storm", "0"}})->storm == 0);
  CHECK(refusal({{"ringback/isolated", "2"}}).find("ringback/isolated = ") == 0);
  CHECK(refusal({{"ringback/storm", "-1"}}).find("ringback/storm = ") == 0);
}
