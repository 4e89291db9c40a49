#include "backend/control/vif_list.hpp"

#include <doctest/doctest.h>

using namespace ringback::control;
using ringback::xenstore::Keys;
using ringback::xenstore::parse_mac;
using ringback::xenstore::XenbusState;

namespace {

VifRequest plain() {
  VifRequest vif;
  vif.id = {7, 0};
  vif.mac = *parse_mac("00:16:3e:01:02:03");
  return vif;
}

Keys connected_frontend() {
  auto keys = frontend_keys(plain());
  keys.merge(Keys{{"tx-ring-ref", "8"}, {"rx-ring-ref", "9"}, {"event-channel", "3"}});
  keys["state"] = "4";
  return keys;
}

}  // namespace

TEST_CASE("a row says how a vif is") {
  auto backend = backend_keys(plain());
  backend["state"] = "4";
  const auto row = make_row({0, {7, 0}}, backend, connected_frontend());
  CHECK(row.mac == "00:16:3e:01:02:03");
  CHECK(row.port == "vif7.0");
  CHECK(row.backend == XenbusState::connected);
  CHECK(row.frontend == XenbusState::connected);
  CHECK(row.queues == 1);
}

TEST_CASE("a row has the queues of a guest that was offered more than there would be today") {
  auto backend = backend_keys(plain());
  backend["state"] = "4";
  backend["multi-queue-max-queues"] = "2";
  backend["ringback/max-queues"] = "1";
  auto frontend = connected_frontend();
  frontend["multi-queue-num-queues"] = "2";
  for (const auto* key : {"tx-ring-ref", "rx-ring-ref", "event-channel"})
    for (const auto* queue : {"queue-0/", "queue-1/"})
      frontend[std::string(queue) + key] = frontend[key];
  CHECK(make_row({0, {7, 0}}, backend, frontend).queues == 2);
}

TEST_CASE("a vif that is not connected has no queues") {
  CHECK(make_row({0, {7, 0}}, backend_keys(plain()), connected_frontend()).queues == 0);
}

TEST_CASE("a row of a vif with bad keys says what is bad") {
  auto backend = backend_keys(plain());
  backend["mtu"] = "1";
  const auto row = make_row({0, {7, 0}}, backend, {});
  CHECK(row.mac == "-");
  CHECK(row.port.find("mtu") != std::string::npos);
  CHECK(row.frontend == XenbusState::unknown);
}

TEST_CASE("the table's columns line up") {
  auto vif = plain();
  vif.script = switch_script;
  vif.bridge = "inner";
  const auto row = make_row({0, {7, 0}}, backend_keys(vif), frontend_keys(vif));
  CHECK(to_table({row}) ==
        "domid  devid  backend  mac                front/back                 queues  port\n"
        "7      0      0        00:16:3e:01:02:03  Initialising/Initialising  0       switch "
        "inner\n");
}

TEST_CASE("the list is an array in json") {
  CHECK(to_json({}).dump() == "[]");
  const auto json = to_json({make_row({0, {7, 0}}, backend_keys(plain()), {})});
  CHECK(json[0]["domid"] == 7);
  CHECK(json[0]["backend_state"] == "Initialising");
  CHECK(json[0]["port"] == "vif7.0");
}
