#include "frontend/queue_rings.hpp"

namespace ringback::frontend {

Result<std::unique_ptr<QueueRings>> QueueRings::connect(hypervisor::EventChannels& channels,
                                                        hypervisor::GrantSharer& sharer,
                                                        hypervisor::DomainId backend, bool split) {
  auto tx = Transmitter::share(sharer, backend);
  if (!tx) return tl::unexpected(tx.error());
  auto rx = Receiver::share(sharer, backend);
  if (!rx) return tl::unexpected(rx.error());
  const auto tx_port = channels.bind_unbound(backend);
  if (!tx_port) return tl::unexpected(tx_port.error());
  const auto rx_port = split ? channels.bind_unbound(backend) : tx_port;
  if (!rx_port) {
    channels.unbind(*tx_port);
    return tl::unexpected(rx_port.error());
  }
  std::unique_ptr<QueueRings> rings(new QueueRings(channels, std::move(*tx), std::move(*rx)));
  rings->keys_.tx_event_channel = *tx_port;
  rings->keys_.rx_event_channel = *rx_port;
  return rings;
}

QueueRings::QueueRings(hypervisor::EventChannels& channels, Transmitter its_tx, Receiver its_rx)
    : tx(std::move(its_tx)),
      rx(std::move(its_rx)),
      channels_(channels),
      keys_{.tx_ring_ref = tx.ring_ref(), .rx_ring_ref = rx.ring_ref()} {}

QueueRings::~QueueRings() {
  channels_.unbind(keys_.tx_event_channel);
  if (keys_.rx_event_channel != keys_.tx_event_channel) channels_.unbind(keys_.rx_event_channel);
}

void QueueRings::notify(hypervisor::Port port) {
  channels_.notify(port);
  ++notifications_;
}

void QueueRings::wake_backend() {
  notify(keys_.tx_event_channel);
  if (keys_.rx_event_channel != keys_.tx_event_channel) notify(keys_.rx_event_channel);
}

}  // namespace ringback::frontend
