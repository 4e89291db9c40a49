// The two ends of a tx ring as Xen's own macros (xen/io/ring.h) have them, in the shape of
// FrontRing and BackRing.
#pragma once

#include <optional>
#include <span>

#include "ring/netif.hpp"

namespace ringback::interop {

// The frontend's first act, as if the ring had already come round to `index` and were idle.
void initialise(std::span<std::byte> pages, ring::Index index);

class XenFront {
 public:
  static XenFront attach(std::span<std::byte> pages, ring::Index index);

  ring::Index free() const;
  ring::Index put(const ring::TxRequest& request);
  bool publish();
  std::optional<ring::Index> unconsumed() const;
  ring::TxResponse response(ring::Index ahead) const;
  void consume(ring::Index count);
  bool final_check();

 private:
  netif_tx_front_ring_t ring_;
};

class XenBack {
 public:
  static std::optional<XenBack> attach(std::span<std::byte> pages);

  std::optional<ring::Index> unconsumed() const;
  ring::TxRequest request(ring::Index ahead) const;
  void consume(ring::Index count);
  void respond(const ring::TxResponse& response);
  bool publish();
  bool final_check();

 private:
  netif_tx_back_ring_t ring_;
};

}  // namespace ringback::interop
