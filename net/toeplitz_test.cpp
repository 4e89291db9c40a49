#include "net/toeplitz.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#define XEN_NETIF_DEFINE_TOEPLITZ
#include <xen/io/netif.h>

#include "net/test_frames.hpp"

namespace ringback::net {
namespace {

using namespace test;

// What Microsoft's "Verifying the RSS hash calculation" has, which drivers are verified by.
constexpr Toeplitz::Key published = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                     0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                     0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                     0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

TEST_CASE("the Toeplitz hash of published inputs is the published one") {
  const Toeplitz hash(published);
  struct Vector {
    const char* addresses;
    const char* ports;
    std::uint32_t with_ports, without;
  };
  // In an input the source comes first: 66.9.149.187:2794 to 161.142.100.80:1766, and so on.
  for (const auto& [addresses, ports, with_ports, without] : {
           Vector{"420995bba18e6450", "0aea06e6", 0x51ccc178, 0x323e8fc2},
           Vector{"c75c6f0241458c53", "37961283", 0xc626b0ea, 0xd718262a},
           Vector{"1813c65f0c16cfb8", "32629488", 0x5c2b394a, 0xd2d0a5de},
           Vector{"261bcd1ed18ea306", "bc6408a9", 0xafc7327f, 0x82989176},
           Vector{"9927a3bfcabc7f02", "acdb0517", 0x10e828a2, 0x5d1809c5},
           Vector{"3ffe250102001fff00000000000000073ffe2501020000030000000000000001", "0aea06e6",
                  0x40207d3d, 0x2cc18cd5},
       }) {
    const auto input = from_hex(std::string(addresses) + ports);
    CHECK(hash(bytes(input)) == with_ports);
    CHECK(hash(bytes(input).first(input.size() - 4)) == without);
  }
}

TEST_CASE("of any key and input it is what netif.h's own code computes") {
  Random random(1);
  for (int round = 0; round < 1000; ++round) {
    Toeplitz::Key key;
    std::ranges::generate(key, [&] { return static_cast<std::uint8_t>(random()); });
    Octets input;
    append_random(input, below(random, Toeplitz::max_input + 1), random);
    const Toeplitz hash(key);
    CHECK(hash(bytes(input)) == xen_netif_toeplitz_hash(key.data(), key.size(), input.data(),
                                                        static_cast<unsigned>(input.size())));
    const std::size_t cut = below(random, input.size() + 1);
    CHECK(hash(bytes(input)) ==
          (hash(bytes(input).first(cut)) ^ hash(bytes(input).subspan(cut), cut)));
  }
}

TEST_CASE("a flow is told by addresses and ports and a fragment by addresses alone") {
  Random random(2);
  const Toeplitz hash(published);
  for (int round = 0; round < 1000; ++round) {
    const auto protocol = std::uint8_t{below(random, 2) == 0 ? std::uint8_t{6} : std::uint8_t{17}};
    Frame frame = random_frame(random, protocol, 100);
    const std::size_t addresses = frame.network + (frame.v6 ? 8 : 12), size = frame.v6 ? 32 : 8;
    Octets input(frame.octets.begin() + static_cast<std::ptrdiff_t>(addresses),
                 frame.octets.begin() + static_cast<std::ptrdiff_t>(addresses + size));
    const auto without = hash(bytes(input));
    for (std::size_t i = 0; i < 4; ++i) input.push_back(frame.octets[frame.transport + i]);
    const Exactly exact(bytes(frame.octets), frame.octets.size());
    CHECK(hash.of_flow(exact.span(), frame.octets.size()) == hash(bytes(input)));
    if (frame.v6) continue;
    put(frame.octets, frame.network + 6, 2, 0x2000);  // the first of some
    CHECK(hash.of_flow(bytes(frame.octets), frame.octets.size()) == without);
  }
}

TEST_CASE("whatever the bytes a hash reads only the head") {
  Random random(3);
  const Toeplitz hash(published);
  for (int round = 0; round < 20'000; ++round) {
    Frame frame = random_frame(random, 6, 200);
    break_headers(frame, random);
    const std::size_t here = below(random, frame.octets.size() + 1);
    const Exactly head(bytes(frame.octets), here);
    hash.of_flow(head.span(), frame.octets.size());
  }
}

}  // namespace
}  // namespace ringback::net
