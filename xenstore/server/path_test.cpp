#include "xenstore/server/path.hpp"

#include <doctest/doctest.h>

using namespace ringback::xenstore::server;

TEST_CASE("a path is absolute and has the store's letters and no empty names") {
  for (const char* good : {"/", "/a", "/a/b", "/A-Z_09@/x", "/local/domain/1"})
    CHECK(valid_path(good));
  for (const char* bad : {"", "a", "//", "/a/", "/a//b", "/a b", "/a.b", "/a\n", "@x"})
    CHECK_FALSE(valid_path(bad));
}

TEST_CASE("a path has at most 2048 characters and a domain's home comes on top") {
  const std::string name(2047, 'x');
  CHECK(valid_path("/" + name));
  CHECK_FALSE(valid_path("/x" + name));
  CHECK(valid_path("/local/domain/12345/x" + name));
  CHECK_FALSE(valid_path("/local/domain/12345/xx" + name));
  CHECK_FALSE(valid_path("/local/domain/123456/" + name));
}

TEST_CASE("a relative path begins at the home of the domain that says it") {
  CHECK(absolute(5, "data/x") == "/local/domain/5/data/x");
  CHECK(absolute(5, "/data") == "/data");
  CHECK(absolute(5, "@releaseDomain") == "@releaseDomain");
  CHECK_FALSE(valid_path(absolute(5, "")));
}

TEST_CASE("a path is taken apart and put together") {
  CHECK(parent_of("/a/b/c") == "/a/b");
  CHECK(parent_of("/a") == "/");
  CHECK(name_of("/a/b") == "b");
  CHECK(child_of("/", "a") == "/a");
  CHECK(child_of("/a", "b") == "/a/b");
}

TEST_CASE("below means in the directory and not only beginning with the same letters") {
  CHECK(at_or_below("/a/b", "/a"));
  CHECK(at_or_below("/a", "/a"));
  CHECK(at_or_below("/a", "/"));
  CHECK_FALSE(at_or_below("/ab", "/a"));
  CHECK_FALSE(at_or_below("/a", "/a/b"));
}
