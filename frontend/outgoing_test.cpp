#include "frontend/outgoing.hpp"

#include <doctest/doctest.h>

#include "net/checksum.hpp"
#include "net/test_frames.hpp"

namespace ringback::frontend {
namespace {

using net::test::Frame;

constexpr net::Abilities everything{true, true, true, true, true};
constexpr net::Abilities nothing{};

struct Sent {
  Frame frame;
  net::VnetHeader header;

  Outgoing judge(const net::Abilities& backend) const {
    const auto bytes = net::test::bytes(frame.octets);
    return frontend::judge(header, bytes.first(std::min(bytes.size(), net::head_size)),
                           bytes.size(), backend);
  }
};

Sent sent(bool v6, std::size_t payload, const net::Offload& offload) {
  net::test::Random random(3);
  Sent result{net::test::build({.v6 = v6, .payload_size = payload}, random), {}};
  const auto bytes = net::test::bytes(result.frame.octets);
  result.header = net::to_vnet_header(offload, bytes, bytes.size()).value();
  return result;
}

constexpr net::Offload whole{};
constexpr net::Offload partial{net::Checksum::partial, net::Gso::none, 0};
constexpr net::Offload gso4{net::Checksum::partial, net::Gso::tcpv4, 1400};
constexpr net::Offload gso6{net::Checksum::partial, net::Gso::tcpv6, 1400};

}  // namespace

TEST_CASE("A backend that takes everything gets frames as they are") {
  CHECK(sent(false, 1000, whole).judge(everything) == Outgoing::as_is);
  CHECK(sent(true, 1000, partial).judge(everything) == Outgoing::as_is);
  CHECK(sent(false, 60000, gso4).judge(everything) == Outgoing::as_is);
  CHECK(sent(true, 60000, gso6).judge(everything) == Outgoing::as_is);
}

TEST_CASE("A backend that takes nothing gets whole frames and segments") {
  CHECK(sent(false, 1000, whole).judge(nothing) == Outgoing::as_is);
  CHECK(sent(false, 1000, partial).judge(nothing) == Outgoing::sum);
  CHECK(sent(true, 1000, partial).judge(nothing) == Outgoing::sum);
  CHECK(sent(false, 60000, gso4).judge(nothing) == Outgoing::segment);
  CHECK(sent(true, 60000, gso6).judge(nothing) == Outgoing::segment);
}

TEST_CASE("A backend gets what it takes of one family only in that family") {
  constexpr net::Abilities only_v4{true, true, false, true, false};
  CHECK(sent(false, 1000, partial).judge(only_v4) == Outgoing::as_is);
  CHECK(sent(true, 1000, partial).judge(only_v4) == Outgoing::sum);
  CHECK(sent(false, 60000, gso4).judge(only_v4) == Outgoing::as_is);
  CHECK(sent(true, 60000, gso6).judge(only_v4) == Outgoing::segment);
}

TEST_CASE("A super-frame past netif's limit is segmented whatever the backend takes") {
  CHECK(sent(false, 65535 - 54, gso4).judge(everything) == Outgoing::as_is);
  auto longer = sent(false, 65535 - 54, gso4);
  longer.frame.octets.push_back(0);
  CHECK(longer.judge(everything) == Outgoing::segment);
}

TEST_CASE("What fits no slot is too long for a backend without scatter-gather") {
  CHECK(sent(false, 4096 - 54, whole).judge(nothing) == Outgoing::as_is);
  CHECK(sent(false, 4097 - 54, whole).judge(nothing) == Outgoing::too_long);
  auto jumbo = sent(false, 60000, gso4);
  jumbo.header.gso_size = 9000;
  CHECK(jumbo.judge(nothing) == Outgoing::too_long);
}

TEST_CASE("What is no frame is malformed") {
  auto broken = sent(false, 1000, whole);
  SUBCASE("shorter than an Ethernet header") {
    broken.frame.octets.resize(13);
  }
  SUBCASE("empty") {
    broken.frame.octets.clear();
  }
  SUBCASE("a GSO type that netif has no word for") {
    broken.header.gso_type = 3;
  }
  CHECK(broken.judge(everything) == Outgoing::malformed);
}

TEST_CASE("A partial checksum that is not where the headers imply is summed here") {
  auto tunnelled = sent(false, 1000, partial);
  tunnelled.header.checksum_start =
      static_cast<std::uint16_t>(tunnelled.header.checksum_start + 28);
  CHECK(tunnelled.judge(everything) == Outgoing::sum);
}

TEST_CASE("A partial checksum is finished right where the header says") {
  auto frame = sent(true, 999, partial);
  REQUIRE_FALSE(net::test::reference_checksum_is_right(frame.frame, frame.frame.octets));
  REQUIRE(finish_checksum(net::test::bytes(frame.frame.octets), frame.header));
  CHECK(net::test::reference_checksum_is_right(frame.frame, frame.frame.octets));
}

TEST_CASE("A checksum place past the frame changes nothing") {
  auto frame = sent(false, 100, partial);
  const auto before = frame.frame.octets;
  frame.header.checksum_start = static_cast<std::uint16_t>(before.size() - 1);
  frame.header.checksum_offset = 0;
  CHECK_FALSE(finish_checksum(net::test::bytes(frame.frame.octets), frame.header));
  CHECK(frame.frame.octets == before);
}

}  // namespace ringback::frontend
