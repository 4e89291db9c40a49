#include "hypervisor/kept_memory.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

using namespace ringback;
using hypervisor::KeptMemory;

namespace {

struct Folder {
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path = std::filesystem::temp_directory_path() / "ringback-test-XXXXXX";
};

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace

TEST_CASE("memory is kept by name until it is removed") {
  const Folder folder;
  const KeptMemory kept(folder.path + "/made");
  CHECK(kept.list()->empty());
  {
    const auto memory = kept.open("vif1.0", 5000);
    REQUIRE(memory.has_value());
    REQUIRE(memory->span().size() == 5000);
    CHECK(all_zero(memory->span()));
    memory->span().back() = std::byte{7};
    CHECK(all_zero(kept.open("vif1.1", 5000)->span()));
  }
  // As another process has it.
  CHECK(KeptMemory(folder.path + "/made").open("vif1.0", 5000)->span().back() == std::byte{7});
  auto names = kept.list().value();
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{"vif1.0", "vif1.1"});

  kept.remove("vif1.0");
  kept.remove("vif1.0");
  CHECK(kept.list() == std::vector<std::string>{"vif1.1"});
  CHECK(all_zero(kept.open("vif1.0", 5000)->span()));
}

TEST_CASE("what was kept in another size is not this") {
  const Folder folder;
  const KeptMemory kept(folder.path);
  kept.open("vif1.0", 5000)->span().front() = std::byte{7};
  for (const std::size_t size : {6000, 4000, 9000})
    CHECK(all_zero(kept.open("vif1.0", size)->span()));
}

TEST_CASE("a folder that can't be used is an error that names it") {
  const Folder folder;
  const auto opened = KeptMemory(folder.path + "/missing/made").open("vif1.0", 5000);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().what.find(folder.path + "/missing/made") != std::string::npos);
}
