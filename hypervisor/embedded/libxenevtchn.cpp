// Xen's libxenevtchn.so.1, on the embedded hypervisor: the C face of EventHandle. Says what
// xenevtchn.h says.
#pragma GCC visibility push(default)
extern "C" {
#include <xenevtchn.h>
}
#pragma GCC visibility pop

#include "hypervisor/embedded/c_call.hpp"
#include "hypervisor/embedded/event_handle.hpp"

using namespace ringback::hypervisor::embedded;

struct xenevtchn_handle {
  std::unique_ptr<EventHandle> events;
};

xenevtchn_handle* xenevtchn_open(xentoollog_logger*, unsigned flags) {
  return pointer_call([flags] {
    return EventHandle::open((flags & XENEVTCHN_NO_CLOEXEC) == 0).map([](auto events) {
      return new xenevtchn_handle{std::move(events)};
    });
  });
}

// There is no device node that a handle could be made from again.
xenevtchn_handle* xenevtchn_fdopen(xentoollog_logger*, int, unsigned) {
  errno = EOPNOTSUPP;
  return nullptr;
}

int xenevtchn_close(xenevtchn_handle* handle) {
  delete handle;
  return 0;
}

int xenevtchn_fd(xenevtchn_handle* handle) {
  return handle->events->fd();
}

int xenevtchn_notify(xenevtchn_handle* handle, evtchn_port_t port) {
  return int_call([&] { return handle->events->notify(port); });
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle* handle,
                                                      std::uint32_t domain) {
  return int_call([&] { return handle->events->bind_unbound(domain); });
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle* handle, std::uint32_t domain,
                                                     evtchn_port_t remote_port) {
  return int_call([&] { return handle->events->bind_interdomain(domain, remote_port); });
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle* handle, unsigned virq) {
  return int_call([&] { return handle->events->bind_virq(virq); });
}

int xenevtchn_unbind(xenevtchn_handle* handle, evtchn_port_t port) {
  return int_call([&] { return handle->events->unbind(port); });
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle* handle) {
  return int_call([&] { return handle->events->pending(); });
}

int xenevtchn_unmask(xenevtchn_handle* handle, evtchn_port_t port) {
  return int_call([&] { return handle->events->unmask(port); });
}

int xenevtchn_restrict(xenevtchn_handle* handle, domid_t domain) {
  return int_call([&] { return handle->events->restrict(domain); });
}
