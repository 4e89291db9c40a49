// What every frontend's queue has: both rings with their pages, and the event channels. Belongs to
// one thread.
#pragma once

#include <memory>

#include "frontend/receiver.hpp"
#include "frontend/transmitter.hpp"
#include "hypervisor/event_channels.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::frontend {

class QueueRings {
 public:
  // Shares the rings, posts the rx buffers, makes the event channels. channels and sharer outlive
  // it.
  static Result<std::unique_ptr<QueueRings>> connect(hypervisor::EventChannels& channels,
                                                     hypervisor::GrantSharer& sharer,
                                                     hypervisor::DomainId backend, bool split);
  QueueRings(const QueueRings&) = delete;
  QueueRings& operator=(const QueueRings&) = delete;
  ~QueueRings();

  const xenstore::QueueKeys& keys() const { return keys_; }

  // Publishes what was put in tx, and posts what was taken from rx; the backend is notified if it
  // wants to be.
  void publish() {
    if (tx.publish()) notify(keys_.tx_event_channel);
  }
  void repost() {
    if (rx.repost()) notify(keys_.rx_event_channel);
  }

  // A notification that nobody may have asked for, for the moment of connecting.
  void wake_backend();

  // How often the backend was notified.
  std::uint64_t notifications() const { return notifications_; }

  Transmitter tx;
  Receiver rx;

 private:
  QueueRings(hypervisor::EventChannels& channels, Transmitter its_tx, Receiver its_rx);
  void notify(hypervisor::Port port);

  hypervisor::EventChannels& channels_;
  xenstore::QueueKeys keys_;
  std::uint64_t notifications_ = 0;
};

}  // namespace ringback::frontend
