// One queue of a vif: the guest's pair of rings, served by one worker.
//
//   serve():  tx ring -> chains -> heads copied -> Frames -> port.send() -> responses -> one event
//             port.receive() -> RxSink -> rx ring
//
// Read this file's queue.cpp from serve() down to follow a frame. Made, served and destroyed on its
// worker's thread; only its sink() is shared, with the workers of those who send to it.
#pragma once

#include <memory>

#include "backend/port/port.hpp"
#include "backend/rx_sink.hpp"
#include "backend/task.hpp"
#include "hypervisor/event_channels.hpp"
#include "hypervisor/grants.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::backend {

class Queue final : public Task {
 public:
  // What is to outlive the process (ring/back_ring.hpp).
  struct Kept {
    ring::TxBackRing::Kept tx;
    ring::RxBackRing::Kept rx;
  };
  struct Config {
    hypervisor::DomainId guest;
    std::size_t index;  // 0.. within its vif
    xenstore::QueueKeys keys;
    net::Abilities abilities;
    Kept* kept = nullptr;  // outlives the queue; without it a kill may make frames of other bytes
  };

  // Maps the rings and binds the event channels that the guest's keys name. port, events and grants
  // outlive the queue. wake: asks its worker, from any thread and without a lock, to serve it.
  static Result<std::unique_ptr<Queue>> connect(const Config& config, Port& port,
                                                hypervisor::EventChannels& events,
                                                hypervisor::GrantUser& grants,
                                                std::function<void()> wake);
  ~Queue() override;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  hypervisor::Port tx_event_channel() const { return tx_channel_; }
  hypervisor::Port rx_event_channel() const { return rx_channel_; }
  int fd() const override { return port_.fd(config_.index); }

  // What has been signalled since the last serve().
  void guest_sent() { guest_sent_ = true; }
  void guest_posted() { guest_posted_ = true; }
  void readable() override { read_ = Read::now; }
  bool waits_to_read() const override { return read_ == Read::when_readable; }

  // Once broken() they do nothing.
  bool serve(Copier& copier) override;
  bool arm() override;

  // Why the guest was found to be broken or hostile.
  const char* broken() const { return broken_; }
  std::optional<Fault> fault() const override;

  RxSink& sink() { return *sink_; }
  const Counters& tx_counters() const { return tx_counters_; }

 private:
  Queue(const Config& config, Port& port, hypervisor::EventChannels& events,
        hypervisor::Mapping tx_pages, hypervisor::Mapping rx_pages, ring::TxBackRing tx)
      : config_(config),
        port_(port),
        events_(events),
        tx_pages_(std::move(tx_pages)),
        rx_pages_(std::move(rx_pages)),
        tx_(tx) {}

  bool serve_tx(Copier& copier);
  bool serve_rx(Copier& copier);
  std::size_t read_burst(ring::Index available, TxBurst& burst);
  void copy_heads(std::size_t count, TxBurst& burst, Copier& copier);
  void check_claims(std::size_t count, TxBurst& burst);
  std::size_t write_responses(std::size_t count, TxBurst& burst);

  const Config config_;
  Port& port_;
  hypervisor::EventChannels& events_;
  hypervisor::Mapping tx_pages_;
  hypervisor::Mapping rx_pages_;
  ring::TxBackRing tx_;
  hypervisor::Port tx_channel_ = 0;
  hypervisor::Port rx_channel_ = 0;
  std::unique_ptr<RxSink> sink_;

  bool guest_sent_ = true;  // scan once after attaching: an event may have been lost before
                            // (tests/models/restart.pml)
  bool guest_posted_ = true;
  Read read_ = Read::now;
  const char* broken_ = nullptr;
  Counters tx_counters_;
};

}  // namespace ringback::backend
