// The control thread: finds vifs in xenstore, walks each through its handshake, and gives their
// queues to the workers.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "backend/backoff.hpp"
#include "backend/kernel_netback.hpp"
#include "backend/switch/named_switches.hpp"
#include "backend/vif.hpp"
#include "backend/worker.hpp"
#include "hypervisor/event_loop.hpp"
#include "xenstore/handshake.hpp"
#include "xenstore/store.hpp"

namespace ringback::backend {

class Daemon {
 public:
  // workers: 1 or more threads. An Error if there is no store, no hypervisor, or no right to use
  // them.
  static Result<std::unique_ptr<Daemon>> start(std::size_t workers, hypervisor::Io::Kind io);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Until SIGINT or SIGTERM; an Error if the store is lost.
  Result<void> run();

 private:
  struct Device {
    std::string backend;   // BE
    std::string frontend;  // FE
    xenstore::BackendHandshake handshake;
    std::unique_ptr<Vif> vif;              // from offer to forget
    xenstore::XenbusState frontend_state;  // as last seen
    Backoff backoff;
    bool resting = false;  // a timer looks at it when the backoff is over
  };

  Daemon(std::unique_ptr<hypervisor::EventLoop> loop, xenstore::Store store,
         hypervisor::Links links, hypervisor::DomainId own);
  Result<void> open(std::size_t workers, hypervisor::Io::Kind io);

  void store_events();
  void worker_reports();
  void scan();
  void remove_orphans();
  void look_at(xenstore::VifId id);
  void rest(xenstore::VifId id, Device& device, xenstore::BackendView& seen);
  bool is_ours(xenstore::VifId id);
  Result<xenstore::BackendView> view(const Device& device);
  void act(xenstore::VifId id, Device& device, std::vector<xenstore::BackendAction> actions);
  Result<void> prepare(xenstore::VifId id, Device& device);
  Result<void> offer(xenstore::VifId id, Device& device);
  Result<void> connect(xenstore::VifId id, Device& device);
  Result<void> write_if_there(const Device& device, const xenstore::Keys& keys);
  void say(Device& device, xenstore::XenbusState state);
  void refuse(xenstore::VifId id, Device& device, const std::string& what);
  void report(xenstore::VifId id, Device& device, const std::string& what);
  void log_statistics() const;

  std::unique_ptr<hypervisor::EventLoop> loop_;
  xenstore::Store store_;
  hypervisor::Links links_;
  const KernelNetback kernel_netback_;
  const hypervisor::DomainId own_;
  const std::string root_;       // of all BE
  hypervisor::Descriptor sole_;  // held as long as this is the store's only daemon
  hypervisor::Descriptor reports_;
  hypervisor::Descriptor statistics_signal_;
  Vif::Workers workers_;
  NamedSwitches switches_{workers_, links_};
  std::map<xenstore::VifId, Device> devices_;
  struct Left {
    std::chrono::steady_clock::time_point since;
    bool told;
  };
  std::map<xenstore::VifId, Left> left_to_kernel_;  // vifs that it has, or may be about to take
  Error lost_;
};

}  // namespace ringback::backend
