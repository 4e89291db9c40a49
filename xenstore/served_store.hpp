// For tests of what uses the store: a real one. Link ringback_store_server.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "xenstore/server/socket_server.hpp"
#include "xenstore/store.hpp"

namespace ringback::xenstore {

// The embedded store in a thread of its own, for as long as this lives; libxenstore finds it as
// domain 0.
class ServedStore {
 public:
  ServedStore() {
    std::string folder = (std::filesystem::temp_directory_path() / "store_test.XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()));
    folder_ = folder;
    loop_ = std::move(*hypervisor::EventLoop::open());
    server_.emplace(*loop_);
    REQUIRE(server_->listen(folder_ + "/socket", 0));
    server_->introduce(3);
    server_->introduce(5);
    setenv("XENSTORED_PATH", (folder_ + "/socket").c_str(), 1);
    thread_ = std::thread([this] { (void)loop_->run(); });
  }
  ~ServedStore() {
    stop();
    unsetenv("XENSTORED_PATH");
    std::filesystem::remove_all(folder_);
  }
  const std::string& folder() const { return folder_; }  // removed in the end
  // So many there have been, by all clients.
  std::uint64_t requests() const { return server_->requests(); }
  // As if the store had died.
  void stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
    server_.reset();
  }

 private:
  std::string folder_;
  std::unique_ptr<hypervisor::EventLoop> loop_;
  std::optional<server::StoreServer> server_;
  std::thread thread_;
};

// A client of it.
inline Store open_store() {
  auto store = Store::open();
  REQUIRE(store);
  return std::move(*store);
}

}  // namespace ringback::xenstore
