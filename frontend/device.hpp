// A vif of this domain in xenstore: waits for it, says and follows the states, and has its owner
// connect, run and disconnect it, again whenever the backend closes and comes back.
//
//   store watch -> FrontendView -> FrontendHandshake (pure) -> actions -> Device::Owner
//
// Lives on the control thread's event loop, which alone touches the store and the state.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hypervisor/event_loop.hpp"
#include "xenstore/handshake.hpp"
#include "xenstore/store.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::frontend {

class Device {
 public:
  // Whose device it is. Called on the loop's thread; an Error of all but connect() ends the loop.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The vif is in the store; told once.
    virtual Result<void> appeared() = 0;
    // frontend, backend: the keys in FE and BE. Returns what the backend is to be told. After a
    // failure it is tried again with the next handshake, some seconds later.
    virtual Result<xenstore::FrontendKeys> connect(const xenstore::Keys& frontend,
                                                   const xenstore::Keys& backend) = 0;
    // Both ends are connected.
    virtual Result<void> run() = 0;
    // Also where nothing is connected.
    virtual Result<void> disconnect() = 0;
  };

  // loop and owner outlive it; the owner is not called yet.
  static Result<std::unique_ptr<Device>> open(hypervisor::EventLoop& loop, std::uint32_t number,
                                              Owner& owner);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  const std::string& path() const { return path_; }  // FE
  bool has_appeared() const { return appeared_; }
  // Whether nothing is connected, here and there, nor about to close.
  bool at_rest() const { return at_rest_; }
  // Why it can't go on. The loop was stopped then.
  const std::optional<Error>& broken() const { return broken_; }

  // Tells the backend, and stops the loop when at_rest(). It does not connect again.
  void close();
  // Disconnects, and starts over with the next handshake after a while.
  void retry_later();

 private:
  Device(hypervisor::EventLoop& loop, Owner& owner, xenstore::Store store, std::string path);

  void on_store();
  void give_up(const Error& error);
  Result<void> look();
  Result<void> follow_backend();
  void act(const std::vector<xenstore::FrontendAction>& actions);
  void say(xenstore::XenbusState state);
  Result<void> connect();
  Result<void> publish(const xenstore::FrontendKeys& keys);
  void disconnect();

  hypervisor::EventLoop& loop_;
  Owner& owner_;
  xenstore::Store store_;
  const std::string path_;
  std::string backend_path_;  // BE, once known
  xenstore::FrontendHandshake handshake_;
  std::optional<hypervisor::EventLoop::TimerId> retry_;
  bool appeared_ = false;
  bool at_rest_ = true;
  bool closing_ = false;
  std::optional<Error> broken_;
};

}  // namespace ringback::frontend
