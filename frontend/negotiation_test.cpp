#include "frontend/negotiation.hpp"

#include <doctest/doctest.h>

namespace ringback::frontend {
namespace {

const xenstore::Keys frontend_keys{
    {"backend-id", "3"}, {"mac", "00:16:3e:00:00:01"}, {"mtu", "9000"}, {"state", "1"}};

// As a backend that knows nothing beyond the oldest keys.
const xenstore::Keys simple_backend{{"feature-rx-copy", "1"}, {"feature-sg", "0"}};

}  // namespace

TEST_CASE("With a full backend everything is used") {
  const auto agreed =
      negotiate({.queues = 8}, frontend_keys, xenstore::print(xenstore::BackendFeatures{}));
  REQUIRE(agreed);
  CHECK(agreed->backend_domain == 3);
  CHECK(agreed->mac == xenstore::Mac{0, 0x16, 0x3e, 0, 0, 1});
  CHECK(agreed->backend == net::Abilities{true, true, true, true, true});
  CHECK(agreed->own == net::Abilities{true, true, true, true, true});
  CHECK(agreed->split_event_channels);
  CHECK(agreed->queues == 4);
  CHECK(agreed->mtu == 9000);
}

TEST_CASE("With a simple backend there is one queue and an MTU of at most 1500") {
  const auto agreed = negotiate({.queues = 8}, frontend_keys, simple_backend);
  REQUIRE(agreed);
  CHECK(agreed->backend == net::Abilities{.checksum_v4 = true});
  CHECK_FALSE(agreed->split_event_channels);
  CHECK(agreed->queues == 1);
  CHECK(agreed->mtu == 1500);
}

TEST_CASE("Without offload nothing is used or offered whatever the backend can") {
  const auto agreed =
      negotiate({.offload = false}, frontend_keys, xenstore::print(xenstore::BackendFeatures{}));
  REQUIRE(agreed);
  CHECK(agreed->backend == net::Abilities{});
  CHECK(agreed->own == net::Abilities{});
  CHECK(agreed->mtu == 1500);
}

TEST_CASE("GSO is not used without what it needs") {
  xenstore::BackendFeatures features;
  SUBCASE("scatter-gather") {
    features.sg = false;
  }
  SUBCASE("checksums") {
    features.checksum_v4 = features.checksum_v6 = false;
  }
  const auto agreed = negotiate({}, frontend_keys, xenstore::print(features));
  REQUIRE(agreed);
  CHECK_FALSE(agreed->backend.gso_v4);
  CHECK_FALSE(agreed->backend.gso_v6);
}

TEST_CASE("Options come before the store") {
  const auto agreed = negotiate({.mac = xenstore::Mac{2, 0, 0, 0, 0, 9}, .mtu = 1400},
                                {{"backend-id", "0"}}, simple_backend);
  REQUIRE(agreed);
  CHECK(agreed->mac == xenstore::Mac{2, 0, 0, 0, 0, 9});
  CHECK(agreed->mtu == 1400);
}

TEST_CASE("A frontend directory that lacks or garbles what is needed is refused") {
  auto keys = frontend_keys;
  SUBCASE("no mac") {
    keys.erase("mac");
  }
  SUBCASE("no backend-id") {
    keys.erase("backend-id");
  }
  SUBCASE("a foolish mtu") {
    keys["mtu"] = "12";
  }
  CHECK_FALSE(negotiate({}, keys, simple_backend));
}

}  // namespace ringback::frontend
