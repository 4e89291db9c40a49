// The net device's wire types, over Xen's own header (xen/io/netif.h), under the names used here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <xen/grant_table.h>
#include <xen/io/netif.h>
#include <xen/io/ring.h>
#include <xen/xen.h>
#pragma GCC diagnostic pop

#include "ring/back_ring.hpp"
#include "ring/front_ring.hpp"

namespace ringback::ring {

using TxRequest = netif_tx_request;
using TxResponse = netif_tx_response;
using RxRequest = netif_rx_request;
using RxResponse = netif_rx_response;
using ExtraInfo = netif_extra_info;

using TxBackRing = BackRing<TxRequest, TxResponse>;
using RxBackRing = BackRing<RxRequest, RxResponse>;
using TxFrontRing = FrontRing<TxRequest, TxResponse>;
using RxFrontRing = FrontRing<RxRequest, RxResponse>;

// A frame of this many slots, extras not counted, is always accepted (XEN_NETIF_NR_SLOTS_MIN).
inline constexpr std::size_t max_tx_slots = 18;
// The longest frame that a guest can send: its size has 16 bits (XEN_NETIF_MAX_TX_SIZE).
inline constexpr std::size_t max_tx_size = 0xffff;

// Extras travel in the slots of requests and responses (netif.h).
template <class Slot>
ExtraInfo as_extra(const Slot& slot) {
  static_assert(sizeof(Slot) >= sizeof(ExtraInfo));
  ExtraInfo extra;
  std::memcpy(&extra, &slot, sizeof extra);
  return extra;
}
template <class Slot>
Slot from_extra(const ExtraInfo& extra) {
  static_assert(sizeof(Slot) >= sizeof(ExtraInfo));
  Slot slot{};
  std::memcpy(&slot, &extra, sizeof extra);
  return slot;
}

}  // namespace ringback::ring
