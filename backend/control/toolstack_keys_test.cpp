#include "backend/control/toolstack_keys.hpp"

#include <doctest/doctest.h>

using namespace ringback::control;
using ringback::xenstore::Keys;
using ringback::xenstore::parse_mac;
using ringback::xenstore::parse_vif_config;

namespace {
VifRequest plain() {
  VifRequest vif;
  vif.id = {7, 1};
  vif.mac = *parse_mac("00:16:3e:01:02:03");
  return vif;
}
}  // namespace

TEST_CASE("a plain vif has the keys that libxl writes") {
  CHECK(backend_keys(plain()) == Keys{{"frontend", "/local/domain/7/device/vif/1"},
                                      {"frontend-id", "7"},
                                      {"online", "1"},
                                      {"state", "1"},
                                      {"handle", "1"},
                                      {"mac", "00:16:3e:01:02:03"},
                                      {"type", "vif"},
                                      {"hotplug-status", ""}});
  CHECK(frontend_keys(plain()) == Keys{{"backend", "/local/domain/0/backend/vif/7/1"},
                                       {"backend-id", "0"},
                                       {"state", "1"},
                                       {"handle", "1"},
                                       {"mac", "00:16:3e:01:02:03"},
                                       {"mtu", "1500"},
                                       {"trusted", "1"}});
}

TEST_CASE("the backend reads back everything that was asked for") {
  auto vif = plain();
  vif.bridge = "inner";
  vif.script = switch_script;
  vif.vifname = "web";
  vif.rate = ringback::xenstore::Rate{1000, 2000};
  vif.mtu = 9000;
  vif.max_queues = 2;
  vif.hotplug_connected = true;
  const auto config = parse_vif_config(vif.id, backend_keys(vif));
  REQUIRE(config);
  CHECK(config->port == ringback::xenstore::PortKind::software_switch);
  CHECK(config->switch_name == "inner");
  CHECK(config->vifname == "web");
  CHECK(*config->rate == *vif.rate);
  CHECK(config->mtu == 9000);
  CHECK(config->max_queues == 2);
  CHECK(config->hotplug_status == "connected");
}
