// The control thread: follows the store, finds vifs in it, and looks at each (device.hpp) whenever
// something of it changes.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "backend/device.hpp"
#include "backend/kernel_netback.hpp"
#include "backend/switch/named_switches.hpp"
#include "backend/worker.hpp"
#include "hypervisor/event_loop.hpp"
#include "hypervisor/kept_taps.hpp"
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

  // Until SIGINT or SIGTERM; an Error if the store is lost. Xen's may come back: until then the
  // vifs have their traffic.
  Result<void> run();

 private:
  Daemon(std::unique_ptr<hypervisor::EventLoop> loop, xenstore::Store store,
         hypervisor::Links links, hypervisor::DomainId own);
  Result<void> open(std::size_t workers, hypervisor::Io::Kind io);

  void store_events();
  void begin_to_serve();
  void lose_store(const Error& why);
  void look_for_store(bool told);
  void worker_reports();
  std::set<xenstore::VifId> all_vifs();
  void remove_orphans();
  bool has_gone(xenstore::VifId id);
  bool remove_what_is_left_of(xenstore::VifId id);
  void look_after_switches();
  void look_at(xenstore::VifId id);
  void look_later(xenstore::VifId id, hypervisor::EventLoop::Clock::duration wait);
  bool is_ours(xenstore::VifId id);
  void log_statistics() const;

  std::unique_ptr<hypervisor::EventLoop> loop_;
  xenstore::Store store_;
  hypervisor::KeptTaps taps_;
  const hypervisor::KeptMemory kept_;
  const KernelNetback kernel_netback_;
  const hypervisor::DomainId own_;
  const std::string root_;       // of all BE
  hypervisor::Descriptor sole_;  // held as long as this is the store's only daemon
  hypervisor::Descriptor reports_;
  hypervisor::Descriptor statistics_signal_;
  Vif::Workers workers_;
  PollWindow::Clock::duration longest_poll_{};  // of each
  NamedSwitches switches_{workers_, taps_, store_,
                          fmt::format("/local/domain/{}/ringback/switch", own_)};
  const Device::Shared shared_{store_, taps_, kept_, workers_, switches_};
  std::map<xenstore::VifId, Device> devices_;
  struct Wait {
    hypervisor::EventLoop::Clock::time_point at;
    hypervisor::EventLoop::TimerId timer;
  };
  std::map<xenstore::VifId, Wait> waiting_;  // a timer looks at them
  // Workers are held until each of these has been looked at: the traffic of the first would keep
  // the processors from the rest, whose guests would wait the longest.
  std::set<xenstore::VifId> to_take_over_;
  bool serving_ = false;
  bool scanned_ = false;
  bool lists_later_ = false;             // a timer does
  bool looking_after_switches_ = false;  // a timer does, after:
  hypervisor::EventLoop::Clock::duration switch_wait_;
  struct Left {
    hypervisor::EventLoop::Clock::time_point since;  // the kernel has heard of it
    bool told = false;
    bool waiting = false;  // a timer looks at it
  };
  std::map<xenstore::VifId, Left> left_to_kernel_;  // vifs that it has, or may be about to take
  Error lost_;                                      // why there is no store, once there is none
  Error ended_by_;                                  // that, where it ends run()
};

}  // namespace ringback::backend
