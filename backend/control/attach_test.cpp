// attach and detach over a real store, with a backend that says what a test wants it to.
#include "backend/control/attach.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "backend/control/detach.hpp"
#include "backend/control/vif_list.hpp"
#include "xenstore/key_reader.hpp"
#include "xenstore/served_store.hpp"

using namespace ringback;
using namespace ringback::control;
using namespace std::chrono_literals;
using xenstore::Keys;
using xenstore::open_store;
using xenstore::ServedStore;
using xenstore::Store;

namespace {

constexpr const char* backend_of_3 = "/local/domain/0/backend/vif/3/0";
constexpr const char* frontend_of_3 = "/local/domain/3/device/vif/0";

std::string value_of(Store& store, const std::string& path) {
  return store.read(path)->value_or("(none)");
}

// Answers 1 with `offer` and 5 with 6, in vif 3.0 of domain 0.
class FakeBackend {
 public:
  explicit FakeBackend(std::string offer) : offer_(std::move(offer)) {
    thread_ = std::thread([this] { run(); });
  }
  ~FakeBackend() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void run() {
    auto store = open_store();
    (void)store.watch(backend_of_3, "");
    while (!stopping_) {
      pollfd ready = {store.fd(), POLLIN, 0};
      poll(&ready, 1, 10);
      while (*store.next_event()) continue;
      const auto state = value_of(store, state_path_);
      if (state == "1") {
        if (offer_ == "6") (void)store.write(std::string(backend_of_3) + "/error", "mtu is odd");
        (void)store.write(state_path_, offer_);
      }
      if (state == "5") (void)store.write(state_path_, "6");
    }
  }

  const std::string state_path_ = std::string(backend_of_3) + "/state";
  std::string offer_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

AttachOptions to_domain(hypervisor::DomainId domain) {
  AttachOptions options;
  options.vif.id.domain = domain;
  options.vif.mac = *xenstore::parse_mac("00:16:3e:01:02:03");
  options.patience = 2s;
  return options;
}

std::string script_in(const std::filesystem::path& folder, const std::string& body) {
  auto path = (folder / "script").string();
  std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
  chmod(path.c_str(), 0755);
  return path;
}

}  // namespace

TEST_CASE("a vif without a script is connected as soon as the backend has offered") {
  ServedStore served;
  const FakeBackend backend("2");
  auto store = open_store();
  const auto id = attach(store, to_domain(3));
  REQUIRE(id);
  CHECK(device_name(*id) == "vif3.0");
  CHECK(value_of(store, std::string(backend_of_3) + "/state") == "2");
  CHECK(value_of(store, std::string(backend_of_3) + "/hotplug-status") == "connected");
}

TEST_CASE("each side owns its directory and the other may read it") {
  ServedStore served;
  auto store = open_store();
  auto options = to_domain(3);
  options.wait = false;
  options.vif.backend = 5;
  REQUIRE(attach(store, options));
  using xenstore::Permission;
  using Permissions = std::vector<Permission>;
  for (const char* key : {"", "/state", "/mac"}) {
    CAPTURE(key);
    CHECK(*store.permissions(std::string("/local/domain/5/backend/vif/3/0") + key) ==
          Permissions{{5, false, false}, {3, true, false}});
    CHECK(*store.permissions(std::string(frontend_of_3) + key) ==
          Permissions{{3, false, false}, {5, true, false}});
  }
}

TEST_CASE("the next free device number is taken and a taken one refused") {
  ServedStore served;
  auto store = open_store();
  auto options = to_domain(3);
  options.wait = false;
  CHECK(attach(store, options)->device == 0);
  CHECK(attach(store, options)->device == 1);
  options.device = 1;
  const auto taken = attach(store, options);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == EEXIST);
}

TEST_CASE("a domain that does not exist is named with those that do") {
  ServedStore served;
  auto store = open_store();
  const auto result = attach(store, to_domain(9));
  REQUIRE_FALSE(result);
  CHECK(result.error().what == "domain 9 does not exist; there are: 0, 3, 5");
}

TEST_CASE("without a backend nothing is left behind") {
  ServedStore served;
  auto store = open_store();
  auto options = to_domain(3);
  options.patience = 50ms;
  const auto result = attach(store, options);
  REQUIRE_FALSE(result);
  CHECK(result.error().what.find("ringbackd") != std::string::npos);
  CHECK(find_vifs(store)->empty());
  CHECK(value_of(store, frontend_of_3) == "(none)");
}

TEST_CASE("a backend that refuses is quoted") {
  ServedStore served;
  const FakeBackend backend("6");
  auto store = open_store();
  const auto result = attach(store, to_domain(3));
  REQUIRE_FALSE(result);
  CHECK(result.error().what == "the backend refused vif3.0: mtu is odd");
  CHECK(value_of(store, frontend_of_3) == "(none)");
}

TEST_CASE("a script is run once the backend has offered and decides about hotplug") {
  ServedStore served;
  const FakeBackend backend("2");
  auto store = open_store();
  auto options = to_domain(3);
  options.vif.script = script_in(served.folder(),
                                 "test $(xenstore-read $XENBUS_PATH/state) = 2 && "
                                 "xenstore-write $XENBUS_PATH/hotplug-status connected");
  CHECK(attach(store, options));

  options.vif.script = script_in(served.folder(), "exit 0");
  REQUIRE(detach(store, {3, {}}));
  CHECK_FALSE(attach(store, options));
}

TEST_CASE("why a script failed is told") {
  ServedStore served;
  const FakeBackend backend("2");
  auto store = open_store();
  auto options = to_domain(3);
  options.vif.script = script_in(
      served.folder(), "xenstore-write $XENBUS_PATH/hotplug-error 'no such bridge'; exit 1");
  const auto result = attach(store, options);
  REQUIRE_FALSE(result);
  CHECK(result.error().what.ends_with("no such bridge"));
  CHECK(value_of(store, frontend_of_3) == "(none)");
}

TEST_CASE("what libxl keeps of its own domains is kept and removed") {
  ServedStore served;
  auto store = open_store();
  REQUIRE(store.write("/libxl/3", ""));
  auto options = to_domain(3);
  options.wait = false;
  REQUIRE(attach(store, options));
  CHECK(value_of(store, "/libxl/3/device/vif/0/backend") == backend_of_3);
  CHECK(value_of(store, "/libxl/3/device/vif/0/frontend") == frontend_of_3);
  REQUIRE(detach(store, {3, {}, true}));
  CHECK(value_of(store, "/libxl/3/device/vif/0") == "(none)");
}

TEST_CASE("a vif is detached when the backend has closed it") {
  ServedStore served;
  const FakeBackend backend("2");
  auto store = open_store();
  REQUIRE(attach(store, to_domain(3)));
  CHECK(detach(store, {3, 0, false, 2s}));
  for (const char* path : {"/local/domain/0/backend/vif/3", "/local/domain/3/device/vif"}) {
    CHECK(value_of(store, path) == "(none)");
  }
}

TEST_CASE("a vif whose backend does not answer is detached by force only") {
  ServedStore served;
  auto store = open_store();
  auto options = to_domain(3);
  options.wait = false;
  REQUIRE(attach(store, options));
  const auto result = detach(store, {3, {}, false, 50ms});
  REQUIRE_FALSE(result);
  CHECK(result.error().what.find("--force") != std::string::npos);
  CHECK(value_of(store, std::string(backend_of_3) + "/online") == "0");
  CHECK(value_of(store, std::string(backend_of_3) + "/state") == "5");
  CHECK(detach(store, {3, {}, true}));
  CHECK(find_vifs(store)->empty());
}

TEST_CASE("a domain with two vifs has to be told which") {
  ServedStore served;
  auto store = open_store();
  auto options = to_domain(3);
  options.wait = false;
  REQUIRE(attach(store, options));
  REQUIRE(attach(store, options));
  CHECK_FALSE(detach(store, {3, {}, true}));
  CHECK(detach(store, {3, 1, true})->device == 1);
  CHECK_FALSE(detach(store, {3, 1, true}));
  CHECK(list_vifs(store)->size() == 1);
}
