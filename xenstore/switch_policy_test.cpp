#include "xenstore/switch_policy.hpp"

#include <doctest/doctest.h>

using namespace ringback::xenstore;

TEST_CASE(
    "a switch without keys snoops, ages after five minutes and takes its uplink for a router") {
  const auto policy = parse_switch_policy({}).value();
  CHECK(policy.snooping);
  CHECK(policy.ageing == 300);
  CHECK(policy.uplink == PortPolicy{.router = true});
}

TEST_CASE("an uplink has a vif's policy by names of its own") {
  const auto policy = parse_switch_policy({{"snooping", "0"},
                                           {"ageing", "20"},
                                           {"vlan", "7"},
                                           {"ringback/storm", "1"},
                                           {"uplink/device", "eth1"},
                                           {"uplink/vlan", "10p/20"},
                                           {"uplink/storm", "500"},
                                           {"uplink/isolated", "1"},
                                           {"uplink/router", "0"},
                                           {"uplink/mirror", "vif1.0"},
                                           {"uplink/macs", "00:16:3e:00:00:01@20"}})
                          .value();
  CHECK_FALSE(policy.snooping);
  CHECK(policy.ageing == 20);
  CHECK(policy.device == "eth1");
  CHECK(policy.uplink == parse_port_policy({{"vlan", "10p/20"},
                                            {"ringback/storm", "500"},
                                            {"ringback/isolated", "1"},
                                            {"ringback/mirror", "vif1.0"},
                                            {"ringback/macs", "00:16:3e:00:00:01@20"}})
                             .value());
}

TEST_CASE("a switch's key that is none is refused by its own name") {
  for (const auto& each : Keys{{"snooping", "2"},
                               {"ageing", "0"},
                               {"uplink/vlan", "4095"},
                               {"uplink/storm", "many"},
                               {"uplink/macs", "nobody"},
                               {"uplink/mirror", "all vif1.0"},
                               {"uplink/router", "yes"}}) {
    const std::string& key = each.first;
    CAPTURE(key);
    const auto policy = parse_switch_policy({each});
    REQUIRE_FALSE(policy);
    CHECK(policy.error().what.find(key + " = ") == 0);
    CHECK(policy.error().what.find("should be") != std::string::npos);
  }
}

TEST_CASE("a switch's directory has its name, as far as the store allows") {
  CHECK(directory_of("xenbr0") == "xenbr0");
  CHECK(directory_of("br-lan_2") == "br-lan_2");
  CHECK(directory_of("xenbr0.10") == "xenbr0@2e10");
  CHECK(directory_of("a/b@c\xc3") == "a@2fb@40c@c3");
}
