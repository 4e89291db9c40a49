// One queue of a vif, between its rings and one or more descriptors of a tap.
//
//   guest's stack -> tap -- readv --> granted tx pages -> tx ring    one publish, one event a burst
//   guest's stack <- tap <- writev -- granted rx pages <- rx ring
//
// The backend may still scribble on an rx page while the tap reads it: that only decides which
// bytes this guest's own kernel gets, and the headers that a vnet_hdr is made from are copied
// first. Belongs to one thread. An error means that the backend lied or the tap broke: the queue is
// then to be dropped.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "frontend/counters.hpp"
#include "frontend/outgoing.hpp"
#include "frontend/queue_rings.hpp"
#include "net/segment.hpp"
#include "net/vnet_header.hpp"

namespace ringback::frontend {

struct QueueSetup {
  hypervisor::DomainId backend = 0;
  net::Abilities abilities;  // what the backend takes
  bool split_event_channels = false;
  bool verify_checksums = false;  // sum what is received, and count what is wrong
  std::vector<int> taps;          // open as long as the queue lives, non-blocking
};

class NetfrontQueue {
 public:
  // channels, sharer and counters outlive it.
  static Result<std::unique_ptr<NetfrontQueue>> connect(hypervisor::EventChannels& channels,
                                                        hypervisor::GrantSharer& sharer,
                                                        QueueSetup setup, Counters& counters);
  NetfrontQueue(const NetfrontQueue&) = delete;
  NetfrontQueue& operator=(const NetfrontQueue&) = delete;

  const xenstore::QueueKeys& keys() const { return rings_->keys(); }

  // Serves what is there, up to a burst in each direction; reads the taps only if they are said to
  // be readable.
  Result<void> serve(bool taps_readable);

  // Whether the tx ring has room: otherwise the taps are left alone, which holds the guest's
  // senders back.
  bool wants_tap() const { return tx_.room() && !segmenter_; }

  // Before sleep, and before the event channels are unmasked. True: there is work already.
  bool arm();

  void wake_backend() { rings_->wake_backend(); }

 private:
  NetfrontQueue(std::unique_ptr<QueueRings> rings, QueueSetup setup, Counters& counters);

  Result<void> receive();
  void deliver(const Receiver::Frame& frame);
  bool checksum_is_right(const Receiver::Frame& frame);
  Result<void> transmit();
  Result<bool> transmit_one(int tap);
  bool transmit_in_software(Outgoing outgoing, const net::VnetHeader& header, std::size_t size);
  void continue_segmenting();

  std::unique_ptr<QueueRings> rings_;
  Transmitter& tx_;
  Receiver& rx_;
  const QueueSetup setup_;
  Counters& counters_;
  std::vector<std::byte> tx_linear_;  // the frame that software works on
  // Over tx_linear_, while the ring has no room for the rest of its segments.
  std::optional<net::Segmenter> segmenter_;
  std::vector<std::byte> segment_;
  std::vector<std::byte> rx_linear_;  // the frame whose checksum is verified
};

}  // namespace ringback::frontend
