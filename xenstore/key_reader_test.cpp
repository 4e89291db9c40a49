#include "xenstore/key_reader.hpp"

#include <doctest/doctest.h>

#include "xenstore/served_store.hpp"

using namespace ringback;
using namespace ringback::xenstore;

namespace {

void write(Store& store, const std::string& path, const Keys& keys) {
  for (const auto& [key, value] : keys) REQUIRE(store.write(path + "/" + key, value));
}

const VifId vif = {3, 0};
const std::string backend = backend_path(0, vif);
const std::string frontend = frontend_path(vif);

// A vif in use, as libxl, Linux's netfront with two queues and this backend have written it.
void write_connected_vif(Store& store) {
  write(store, backend,
        {{"frontend", frontend},
         {"frontend-id", "3"},
         {"online", "1"},
         {"state", "4"},
         {"script", "/etc/xen/scripts/vif-bridge"},
         {"mac", "00:16:3e:01:02:0f"},
         {"bridge", "xenbr0"},
         {"handle", "0"},
         {"type", "vif"},
         {"mtu", "1500"},
         {"hotplug-status", "connected"}});
  write(store, backend, print(BackendFeatures{}));
  write(store, frontend,
        {{"backend", backend},
         {"backend-id", "0"},
         {"state", "4"},
         {"handle", "0"},
         {"mac", "00:16:3e:01:02:0f"},
         {"mtu", "1500"},
         {"trusted", "1"},
         {"multi-queue-num-queues", "2"},
         {"request-rx-copy", "1"},
         {"feature-rx-notify", "1"},
         {"feature-sg", "1"},
         {"feature-gso-tcpv4", "1"},
         {"feature-gso-tcpv6", "1"},
         {"feature-ipv6-csum-offload", "1"}});
  for (const std::string queue : {"queue-0/", "queue-1/"})
    write(store, frontend,
          {{queue + "tx-ring-ref", "8"},
           {queue + "rx-ring-ref", "9"},
           {queue + "event-channel-tx", "12"},
           {queue + "event-channel-rx", "13"}});
}

}  // namespace

TEST_CASE("a directory is read whole with one level of subdirectories") {
  ServedStore served;
  auto store = open_store();
  for (const char* path : {"/d/state", "/d/queue-0/tx-ring-ref", "/d/queue-0/deep/er"}) {
    CHECK(store.write(path, "4"));
  }
  const Keys keys = {
      {"state", "4"}, {"queue-0", ""}, {"queue-0/tx-ring-ref", "4"}, {"queue-0/deep", ""}};
  CHECK(*read_directory(store, "/d") == keys);
  CHECK(read_directory(store, "/none")->empty());
}

TEST_CASE("keys are read by their names and what is not there costs no question") {
  ServedStore served;
  auto store = open_store();
  write(store, "/d", {{"state", "4"}, {"empty", ""}, {"of-others/key", "1"}, {"queue-0/ref", "8"}});
  const auto before = served.requests();
  const KeyNames names = {"state",       "empty",           "missing",
                          "queue-0/ref", "queue-0/missing", "queue-1/ref"};
  CHECK(*read_keys(store, "/d", names) ==
        Keys{{"state", "4"}, {"empty", ""}, {"queue-0/ref", "8"}});
  constexpr auto transaction = 2;
  constexpr auto lists = 2;
  constexpr auto reads = 3;
  CHECK(served.requests() - before == transaction + lists + reads);
  CHECK(read_keys(store, "/none", names)->empty());
}

TEST_CASE("the keys of a vif that is taken over are read by 24 questions and 5 for each queue") {
  ServedStore served;
  auto store = open_store();
  write_connected_vif(store);
  const auto before = served.requests();
  const auto ours = read_keys(store, backend, backend_key_names());
  REQUIRE(ours);
  const auto config = parse_vif_config(vif, *ours);
  REQUIRE(config);
  const auto offer = parse_backend_features(*ours);
  REQUIRE(offer);
  const auto guests = read_keys(store, frontend, frontend_key_names(offer->max_queues));
  REQUIRE(guests);
  const auto keys = parse_frontend_keys(*guests, offer->max_queues);
  REQUIRE(keys);
  CHECK(served.requests() - before <= 24 + 5 * keys->queues.size());

  // And nothing is missed.
  CHECK(*config == *parse_vif_config(vif, *read_directory(store, backend)));
  CHECK(*keys == *parse_frontend_keys(*read_directory(store, frontend), offer->max_queues));
}
