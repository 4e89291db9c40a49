#include "xenstore/vif_keys.hpp"

#include <doctest/doctest.h>

using namespace ringback::xenstore;
using ringback::Result;

namespace {

Keys backend_keys() {
  return {{"frontend", "/local/domain/7/device/vif/0"},
          {"frontend-id", "7"},
          {"online", "1"},
          {"state", "1"},
          {"handle", "0"},
          {"mac", "00:16:3e:01:02:0f"},
          {"script", "/etc/xen/scripts/vif-bridge"},
          {"bridge", "xenbr0"},
          {"type", "vif"},
          {"hotplug-status", ""}};
}

Keys with(Keys keys, const std::string& key, const std::string& value) {
  keys[key] = value;
  return keys;
}

Result<VifConfig> config_with(const std::string& key, const std::string& value) {
  return parse_vif_config({7, 0}, with(backend_keys(), key, value));
}

Keys linux_frontend_keys() {
  return {{"tx-ring-ref", "8"},       {"rx-ring-ref", "9"},
          {"event-channel-tx", "12"}, {"event-channel-rx", "13"},
          {"request-rx-copy", "1"},   {"feature-rx-notify", "1"},
          {"feature-sg", "1"},        {"feature-gso-tcpv4", "1"},
          {"feature-gso-tcpv6", "1"}, {"feature-ipv6-csum-offload", "1"}};
}

}  // namespace

TEST_CASE("each key that a parser looks at is among the names of what is read") {
  // Nobody can be refused for a key that is not read.
  const auto names = backend_key_names();
  for (const auto& bad : Keys{{"frontend", "none"},
                              {"frontend-id", "x"},
                              {"handle", "x"},
                              {"mac", "x"},
                              {"online", "x"},
                              {"mtu", "x"},
                              {"rate", "x"},
                              {"vifname", "/"},
                              {"vlan", "x"},
                              {"ringback/port", "x"},
                              {"ringback/max-queues", "x"},
                              {"ringback/isolated", "x"},
                              {"ringback/macs", "x"},
                              {"ringback/storm", "x"},
                              {"ringback/mirror", "all x"},
                              {"ringback/router", "x"}}) {
    CAPTURE(bad.first);
    CHECK(names.contains(bad.first));
    auto keys = with(backend_keys(), "script", "vif-ringback");
    CHECK(parse_vif_config({7, 0}, keys));
    CHECK_FALSE(parse_vif_config({7, 0}, with(keys, bad.first, bad.second)));
  }
  for (const char* key : {"script", "bridge", "ringback/switch", "state", "hotplug-status", "error",
                          "multi-queue-max-queues"})
    CHECK(names.contains(key));
  FrontendKeys frontend;
  for (const std::size_t queues : {1U, 4U}) {
    frontend.queues.resize(queues);
    for (const bool split : {false, true}) {
      frontend.split_event_channels = split;
      for (const auto& written : print(frontend)) {
        CAPTURE(written.first);
        CHECK(frontend_key_names(4).contains(written.first));
      }
    }
  }
}

TEST_CASE("a mac is six bytes of two digits of one station") {
  const auto mac = parse_mac("00:16:3E:0a:ff:01");
  REQUIRE(mac);
  CHECK(to_string(*mac) == "00:16:3e:0a:ff:01");
  for (const char* text : {"", "00:16:3e:0a:ff", "00:16:3e:0a:ff:1", "00-16-3e-0a-ff-01",
                           "00:16:3e:0a:ff:0g", "00:16:3e:0a:ff:01:", "01:16:3e:0a:ff:01"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_mac(text));
  }
}

TEST_CASE("names and paths are those of libxl") {
  CHECK(device_name({7, 2}) == "vif7.2");
  CHECK(backend_path(0, {7, 2}) == "/local/domain/0/backend/vif/7/2");
  CHECK(frontend_path({7, 2}) == "/local/domain/7/device/vif/2");
}

TEST_CASE("what libxl writes is understood") {
  auto keys = backend_keys();
  keys["rate"] = "62500,50000";
  keys["mtu"] = "9000";
  keys["vifname"] = "web";
  keys["ringback/max-queues"] = "8";
  const auto config = parse_vif_config({7, 0}, keys);
  REQUIRE(config);
  CHECK(config->frontend == "/local/domain/7/device/vif/0");
  CHECK(to_string(config->mac) == "00:16:3e:01:02:0f");
  CHECK(config->online);
  CHECK(config->port == PortKind::tap);
  CHECK(*config->rate == Rate{62500, 50000});
  CHECK(config->mtu == 9000);
  CHECK(config->vifname == "web");
  CHECK(config->max_queues == 8);
  CHECK(config->hotplug_status.empty());
}

TEST_CASE("what is absent has its default") {
  const auto config = parse_vif_config({7, 0}, backend_keys());
  REQUIRE(config);
  CHECK(config->mtu == 1500);
  CHECK(config->max_queues == 4);
  CHECK_FALSE(config->rate);
  CHECK(config->vifname.empty());
}

TEST_CASE("the script or a key of its own choose the switch") {
  const auto scripted = config_with("script", "/etc/xen/scripts/vif-ringback");
  REQUIRE(scripted);
  CHECK(scripted->port == PortKind::software_switch);
  CHECK(scripted->switch_name == "xenbr0");

  auto keys = with(backend_keys(), "ringback/port", "switch");
  keys["ringback/switch"] = "inner";
  const auto keyed = parse_vif_config({7, 0}, keys);
  REQUIRE(keyed);
  CHECK(keyed->port == PortKind::software_switch);
  CHECK(keyed->switch_name == "inner");

  keys = with(backend_keys(), "script", "vif-ringback");
  keys["ringback/port"] = "tap";
  CHECK(parse_vif_config({7, 0}, keys)->port == PortKind::tap);

  keys = with(backend_keys(), "ringback/port", "switch");
  keys.erase("bridge");
  CHECK_FALSE(parse_vif_config({7, 0}, keys));
}

TEST_CASE("a bad value is refused by its key and value and range") {
  struct Bad {
    const char *key, *value;
  };
  for (const auto& bad : {
           Bad{"mac", "00:16:3e"},
           Bad{"mac", ""},
           Bad{"frontend", "device/vif/0"},
           Bad{"frontend-id", "8"},
           Bad{"frontend-id", "70000"},
           Bad{"handle", "1"},
           Bad{"handle", "x"},
           Bad{"online", "2"},
           Bad{"mtu", "67"},
           Bad{"mtu", "65536"},
           Bad{"mtu", "1500 "},
           Bad{"mtu", "+1500"},
           Bad{"rate", "1000"},
           Bad{"rate", "0,50000"},
           Bad{"rate", "1000,0"},
           Bad{"rate", "1000,50000,1"},
           Bad{"rate", "99999999999999999999,1"},
           Bad{"ringback/max-queues", "0"},
           Bad{"ringback/max-queues", "65"},
           Bad{"ringback/port", "hub"},
           Bad{"vifname", "sixteen-letters-"},
           Bad{"vifname", "a/b"},
           Bad{"vifname", ".."},
       }) {
    CAPTURE(bad.key);
    CAPTURE(bad.value);
    const auto config = config_with(bad.key, bad.value);
    REQUIRE_FALSE(config);
    CHECK(config.error().what.find(bad.key) != std::string::npos);
  }
  CHECK(config_with("mtu", "70000").error().what ==
        "mtu = \"70000\": should be a number from 68 to 65535");
}

TEST_CASE("a message shows only the printable beginning of a guest's value") {
  const auto config = config_with("mtu", "\x1b[2J" + std::string(5000, '9'));
  REQUIRE_FALSE(config);
  CHECK(config.error().what.size() < 120);
  CHECK(config.error().what.find('\x1b') == std::string::npos);
}

TEST_CASE("backend features survive printing and parsing") {
  for (unsigned bits = 0; bits < 256; ++bits) {
    BackendFeatures features;
    features.sg = (bits & 1) != 0;
    features.gso_tcpv4 = (bits & 2) != 0;
    features.gso_tcpv6 = (bits & 4) != 0;
    features.checksum_v4 = (bits & 8) != 0;
    features.checksum_v6 = (bits & 16) != 0;
    features.split_event_channels = (bits & 32) != 0;
    features.multicast_control = (bits & 64) != 0;
    features.ctrl_ring = (bits & 128) != 0;
    features.max_queues = bits + 1;
    const auto keys = print(features);
    const auto parsed = parse_backend_features(keys);
    REQUIRE(parsed);
    CHECK(print(*parsed) == keys);
  }
}

TEST_CASE("a backend that writes no features has only checksums over IPv4") {
  const auto features = parse_backend_features({});
  REQUIRE(features);
  CHECK(features->checksum_v4);
  CHECK_FALSE(features->checksum_v6);
  CHECK_FALSE(features->sg);
  CHECK_FALSE(features->gso_tcpv4);
  CHECK_FALSE(features->split_event_channels);
  CHECK(features->max_queues == 1);
}

TEST_CASE("a Linux frontend with one queue is understood") {
  const auto keys = parse_frontend_keys(linux_frontend_keys(), 4);
  REQUIRE(keys);
  CHECK(keys->queues == std::vector<QueueKeys>{{8, 9, 12, 13}});
  CHECK(keys->split_event_channels);
  CHECK(keys->rx_notify);
  CHECK(keys->abilities == ringback::net::Abilities{true, true, true, true, true});
}

TEST_CASE("a MiniOS frontend with one event channel and no features is understood") {
  const auto keys =
      parse_frontend_keys({{"tx-ring-ref", "8"}, {"rx-ring-ref", "9"}, {"event-channel", "5"}}, 4);
  REQUIRE(keys);
  CHECK(keys->queues == std::vector<QueueKeys>{{8, 9, 5, 5}});
  CHECK_FALSE(keys->split_event_channels);
  CHECK_FALSE(keys->rx_notify);
  CHECK(keys->abilities == ringback::net::Abilities{false, true, false, false, false});
}

TEST_CASE("an iPXE frontend wants whole frames with complete checksums") {
  const auto keys = parse_frontend_keys({{"tx-ring-ref", "8"},
                                         {"rx-ring-ref", "9"},
                                         {"event-channel", "5"},
                                         {"feature-sg", "1"},
                                         {"feature-no-csum-offload", "1"},
                                         {"feature-rx-notify", "1"}},
                                        4);
  REQUIRE(keys);
  CHECK(keys->abilities == ringback::net::Abilities{true, false, false, false, false});
}

TEST_CASE("segmentation offload needs scatter gather and its checksum") {
  auto keys = linux_frontend_keys();
  keys.erase("feature-sg");
  CHECK_FALSE(parse_frontend_keys(keys, 4)->abilities.gso_v4);
  CHECK_FALSE(parse_frontend_keys(keys, 4)->abilities.gso_v6);
  keys = linux_frontend_keys();
  keys.erase("feature-ipv6-csum-offload");
  CHECK(parse_frontend_keys(keys, 4)->abilities.gso_v4);
  CHECK_FALSE(parse_frontend_keys(keys, 4)->abilities.gso_v6);
  keys = with(linux_frontend_keys(), "feature-no-csum-offload", "1");
  CHECK_FALSE(parse_frontend_keys(keys, 4)->abilities.gso_v4);
}

TEST_CASE("one queue is at the top level whatever is stale below queue-0") {
  auto keys = with(linux_frontend_keys(), "queue-0/tx-ring-ref", "99");
  CHECK(parse_frontend_keys(keys, 4)->queues[0].tx_ring_ref == 8);
  keys["multi-queue-num-queues"] = "1";
  CHECK(parse_frontend_keys(keys, 4)->queues[0].tx_ring_ref == 8);
}

TEST_CASE("one queue is taken from queue-0 where only that exists") {
  const auto keys = parse_frontend_keys({{"multi-queue-num-queues", "1"},
                                         {"queue-0/tx-ring-ref", "8"},
                                         {"queue-0/rx-ring-ref", "9"},
                                         {"queue-0/event-channel", "5"}},
                                        4);
  REQUIRE(keys);
  CHECK(keys->queues == std::vector<QueueKeys>{{8, 9, 5, 5}});
}

TEST_CASE("two queues are below queue-N whatever is stale at the top level") {
  auto keys = with(linux_frontend_keys(), "multi-queue-num-queues", "2");
  for (const std::string prefix : {"queue-0/", "queue-1/"}) {
    keys[prefix + "tx-ring-ref"] = "20";
    keys[prefix + "rx-ring-ref"] = "21";
    keys[prefix + "event-channel-tx"] = "22";
    keys[prefix + "event-channel-rx"] = "23";
  }
  const auto parsed = parse_frontend_keys(keys, 4);
  REQUIRE(parsed);
  CHECK(parsed->queues == std::vector<QueueKeys>{{20, 21, 22, 23}, {20, 21, 22, 23}});
}

TEST_CASE("a frontend's bad keys are refused") {
  struct Bad {
    const char *key, *value;
  };
  for (const auto& bad : {
           Bad{"multi-queue-num-queues", "0"},
           Bad{"multi-queue-num-queues", "5"},
           Bad{"multi-queue-num-queues", "4294967297"},
           Bad{"tx-ring-ref", "4294967296"},
           Bad{"tx-ring-ref", "-1"},
           Bad{"tx-ring-ref", ""},
           Bad{"tx-ring-ref", "0x8"},
           Bad{"event-channel-tx", "0"},
           Bad{"event-channel-rx", "131072"},
           Bad{"request-rx-copy", "0"},
           Bad{"feature-sg", "yes"},
       }) {
    CAPTURE(bad.key);
    CAPTURE(bad.value);
    const auto keys = parse_frontend_keys(with(linux_frontend_keys(), bad.key, bad.value), 4);
    REQUIRE_FALSE(keys);
    CHECK(keys.error().what.find(bad.key) != std::string::npos);
  }
  for (const char* missing : {"tx-ring-ref", "rx-ring-ref", "event-channel-tx"}) {
    auto keys = linux_frontend_keys();
    keys.erase(missing);
    CHECK_FALSE(parse_frontend_keys(keys, 4));
  }
}

TEST_CASE("frontend keys survive printing and parsing") {
  for (const bool split : {false, true}) {
    for (const unsigned queues : {1U, 2U, 4U}) {
      FrontendKeys keys;
      for (unsigned i = 0; i < queues; ++i) {
        keys.queues.push_back({8 + i, 20 + i, 30 + i, split ? 40 + i : 30 + i});
      }
      keys.split_event_channels = split;
      keys.rx_notify = true;
      keys.abilities = {true, true, split, true, split};
      CHECK(*parse_frontend_keys(print(keys), 4) == keys);
    }
  }
}
