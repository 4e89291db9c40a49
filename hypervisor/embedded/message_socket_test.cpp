#include "hypervisor/embedded/message_socket.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>

using namespace ringback::hypervisor;
using namespace ringback::hypervisor::embedded;

TEST_CASE("a message comes without the descriptors that this process has no number free for") {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) == 0);
  const Descriptor here(ends[0]);
  const Descriptor there(ends[1]);
  const std::array passed = {here.get()};
  REQUIRE(embedded::send(there.get(), Request{.id = 1}, {}, passed));
  REQUIRE(embedded::send(there.get(), Request{.id = 2}, {}, passed));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto lacking = receive<Request>(here.get());
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(lacking);
  CHECK(lacking->header.id == 1);
  CHECK(lacking->descriptors.empty());
  const auto received = receive<Request>(here.get());
  REQUIRE(received);
  CHECK(received->header.id == 2);
  CHECK(received->descriptors.size() == 1);
}
