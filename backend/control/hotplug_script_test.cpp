#include "backend/control/hotplug_script.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace ringback::control;

namespace {

class Script {
 public:
  explicit Script(const std::string& body) {
    std::string folder = (std::filesystem::temp_directory_path() / "script_test.XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()));
    folder_ = folder;
    std::ofstream(path()) << "#!/bin/sh\ncd " << folder_ << "\n" << body << "\n";
    chmod(path().c_str(), 0755);
  }
  ~Script() { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/script"; }
  std::string output() const {
    std::ifstream file(folder_ + "/output");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string folder_;
};

}  // namespace

TEST_CASE("a script is told the vif as Xen's scripts expect it") {
  const Script script("echo $1 $XENBUS_PATH $XENBUS_TYPE $XENBUS_BASE_PATH $vif >output");
  CHECK(run_script(script.path(), "online", "/local/domain/0/backend/vif/7/0", {7, 0}));
  CHECK(script.output() == "online /local/domain/0/backend/vif/7/0 vif backend vif7.0\n");
}

TEST_CASE("a script that fails is an error with its status") {
  const Script script("exit 3");
  const auto result = run_script(script.path(), "online", "/b", {7, 0});
  REQUIRE_FALSE(result);
  CHECK(result.error().what.find("status 3") != std::string::npos);
}

TEST_CASE("a script that is not there is an error with its name") {
  const auto result = run_script("/nowhere/vif", "online", "/b", {7, 0});
  REQUIRE_FALSE(result);
  CHECK(result.error().what.find("/nowhere/vif") != std::string::npos);
}

TEST_CASE("a script that hangs is killed with what it started") {
  const Script script("sh -c 'sleep 1; echo alive >output' & wait");
  const auto result =
      run_script(script.path(), "online", "/b", {7, 0}, std::chrono::milliseconds(100));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ETIMEDOUT);
  usleep(1'200'000);
  CHECK(script.output().empty());
}

TEST_CASE("a name alone is one of the scripts of Xen") {
  CHECK(script_path("vif-route") == "/etc/xen/scripts/vif-route");
  CHECK(script_path("./mine") == "./mine");
}
