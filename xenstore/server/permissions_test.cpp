#include "xenstore/server/permissions.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace ringback::xenstore::server;

namespace {
const Permissions list = {{1, may_read}, {2, may_read | may_write}, {3, no_rights}};
}

TEST_CASE("the owner and domain 0 may do everything") {
  CHECK(rights_of({0, {}}, list) == (may_read | may_write | owns));
  CHECK(rights_of({1, {}}, list) == (may_read | may_write | owns));
}

TEST_CASE("a domain that is named has its own rights and all others what the first entry says") {
  CHECK(rights_of({2, {}}, list) == (may_read | may_write));
  CHECK(rights_of({3, {}}, list) == no_rights);
  CHECK(rights_of({4, {}}, list) == may_read);
}

TEST_CASE("an entry of a domain that has ended gives its successor nothing") {
  Permissions with_ended = list;
  with_ended[1].ignored = true;
  CHECK(rights_of({2, {}}, with_ended) == may_read);
}

TEST_CASE("a device model has the rights of its target") {
  CHECK(rights_of({9, 1}, list) == (may_read | may_write | owns));
  CHECK(rights_of({9, 2}, list) == (may_read | may_write));
}

TEST_CASE("permissions are read and printed as letters and domains") {
  const std::array<std::string_view, 3> texts = {"n0", "r5", "b0x10"};
  const auto parsed = parse_permissions(texts);
  REQUIRE(parsed);
  CHECK(print(*parsed) == std::string("n0\0r5\0b16\0", 10));
}

TEST_CASE("what is no permission is refused") {
  for (const std::string_view bad : {"", "r", "x1", "r1x", "1", "rr"})
    CHECK_FALSE(parse_permissions(std::array{bad}));
}
