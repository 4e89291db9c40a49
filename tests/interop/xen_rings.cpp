// Compiled without ThreadSanitizer: Xen's macros reach the shared memory by plain accesses with
// barriers of their own, as every guest does. To a C++ compiler that is a race, and the peer is
// what this file is here to be. Nothing is inlined into it or out of it, and no slot is copied by a
// call of memcpy, which ThreadSanitizer would watch even here.
#include "xen_rings.hpp"

#define xen_mb() __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()

// ring.h has statement expressions and counts slots in unsigned long.
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"

namespace ringback::interop {
namespace {

netif_tx_sring_t* shared(std::span<std::byte> pages) {
  return reinterpret_cast<netif_tx_sring_t*>(pages.data());
}

}  // namespace

void initialise(std::span<std::byte> pages, ring::Index index) {
  netif_tx_sring_t* ring = shared(pages);
  SHARED_RING_INIT(ring);
  ring->req_prod = ring->rsp_prod = index;
  ring->req_event = ring->rsp_event = index + 1;
}

XenFront XenFront::attach(std::span<std::byte> pages, ring::Index index) {
  XenFront front;
  FRONT_RING_ATTACH(&front.ring_, shared(pages), index, pages.size());
  return front;
}

ring::Index XenFront::free() const {
  return RING_FREE_REQUESTS(&ring_);
}

ring::Index XenFront::put(const ring::TxRequest& request) {
  *RING_GET_REQUEST(&ring_, ring_.req_prod_pvt) = request;
  return ring_.req_prod_pvt++;
}

bool XenFront::publish() {
  bool notify;
  RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring_, notify);
  return notify;
}

std::optional<ring::Index> XenFront::unconsumed() const {
  const RING_IDX ready = XEN_RING_NR_UNCONSUMED_RESPONSES(&ring_);
  xen_rmb();
  if (RING_RESPONSE_PROD_OVERFLOW(&ring_, ring_.rsp_cons + ready)) return std::nullopt;
  return ready;
}

ring::TxResponse XenFront::response(ring::Index ahead) const {
  return *RING_GET_RESPONSE(&ring_, ring_.rsp_cons + ahead);
}

void XenFront::consume(ring::Index count) {
  ring_.rsp_cons += count;
}

bool XenFront::final_check() {
  bool work;
  RING_FINAL_CHECK_FOR_RESPONSES(&ring_, work);
  return work;
}

std::optional<XenBack> XenBack::attach(std::span<std::byte> pages) {
  XenBack back;
  BACK_RING_ATTACH(&back.ring_, shared(pages), shared(pages)->rsp_prod, pages.size());
  return back;
}

std::optional<ring::Index> XenBack::unconsumed() const {
  if (RING_REQUEST_PROD_OVERFLOW(&ring_, ring_.sring->req_prod)) return std::nullopt;
  const RING_IDX ready = XEN_RING_NR_UNCONSUMED_REQUESTS(&ring_);
  xen_rmb();
  return ready;
}

ring::TxRequest XenBack::request(ring::Index ahead) const {
  return *RING_GET_REQUEST(&ring_, ring_.req_cons + ahead);
}

void XenBack::consume(ring::Index count) {
  ring_.req_cons += count;
}

void XenBack::respond(const ring::TxResponse& response) {
  *RING_GET_RESPONSE(&ring_, ring_.rsp_prod_pvt) = response;
  ++ring_.rsp_prod_pvt;
}

bool XenBack::publish() {
  bool notify;
  RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring_, notify);
  return notify;
}

bool XenBack::final_check() {
  bool work;
  RING_FINAL_CHECK_FOR_REQUESTS(&ring_, work);
  return work;
}

}  // namespace ringback::interop
