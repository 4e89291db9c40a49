// The seam, first half: event channels, on libxenevtchn. One object per thread; only notify() may
// be called from any thread (it is one ioctl on Xen). On the embedded hypervisor the same library
// calls end in shared memory and an eventfd.
#pragma once

#include <memory>
#include <optional>

#include "hypervisor/result.hpp"
#include "hypervisor/types.hpp"

namespace ringback::hypervisor {

class EventChannels {
 public:
  virtual ~EventChannels() = default;

  // Readable while a port is pending.
  virtual int fd() const = 0;

  // A local port joined to the other domain's unbound port. A port that its owner made for this
  // domain can be bound again after the first binder closed or died.
  virtual Result<Port> bind_interdomain(DomainId remote, Port remote_port) = 0;
  // A local port that waits for the other domain to join it.
  virtual Result<Port> bind_unbound(DomainId remote) = 0;
  virtual void unbind(Port port) = 0;

  // Wakes the other end. Nothing happens if it has gone.
  virtual void notify(Port port) = 0;

  // The next pending port, masked until unmask(); nothing if there is none. Never blocks.
  virtual std::optional<Port> pending() = 0;
  // Only after the ring is drained (late EOI: XSA-332).
  virtual void unmask(Port port) = 0;
};

Result<std::unique_ptr<EventChannels>> open_event_channels();

}  // namespace ringback::hypervisor
