#include "hypervisor/event_channels.hpp"

#include <fcntl.h>

extern "C" {
#include <xenevtchn.h>
}

#include <fmt/format.h>

namespace ringback::hypervisor {
namespace {

class XenEventChannels final : public EventChannels {
 public:
  explicit XenEventChannels(xenevtchn_handle* handle) : handle_(handle, &xenevtchn_close) {}

  int fd() const override { return xenevtchn_fd(handle_.get()); }

  Result<Port> bind_interdomain(DomainId remote, Port remote_port) override {
    const auto port = xenevtchn_bind_interdomain(handle_.get(), remote, remote_port);
    if (port < 0)
      return system_failure(
          fmt::format("cannot bind to port {} of domain {}", remote_port, remote));
    return static_cast<Port>(port);
  }

  Result<Port> bind_unbound(DomainId remote) override {
    const auto port = xenevtchn_bind_unbound_port(handle_.get(), remote);
    if (port < 0)
      return system_failure(fmt::format("cannot make an event channel for domain {}", remote));
    return static_cast<Port>(port);
  }

  void unbind(Port port) override { xenevtchn_unbind(handle_.get(), port); }
  void notify(Port port) override { xenevtchn_notify(handle_.get(), port); }

  std::optional<Port> pending() override {
    const auto port = xenevtchn_pending(handle_.get());
    if (port < 0) return std::nullopt;
    return static_cast<Port>(port);
  }

  void unmask(Port port) override { xenevtchn_unmask(handle_.get(), port); }

 private:
  std::unique_ptr<xenevtchn_handle, decltype(&xenevtchn_close)> handle_;
};

}  // namespace

Result<std::unique_ptr<EventChannels>> open_event_channels() {
  xenevtchn_handle* handle = xenevtchn_open(nullptr, 0);
  if (handle == nullptr)
    return system_failure(
        "no event channels (in a Xen domain: is xen-evtchn loaded? elsewhere: start "
        "`ringback-hypervisor serve` "
        "and run this under `ringback-hypervisor exec DOMID --`)");
  auto events = std::make_unique<XenEventChannels>(handle);
  // Linux's evtchn device and the embedded one heed O_NONBLOCK: no poll() before each
  // xenevtchn_pending().
  const int flags = fcntl(events->fd(), F_GETFL);
  if (flags < 0 || fcntl(events->fd(), F_SETFL, flags | O_NONBLOCK) != 0)
    return system_failure("cannot make event channels non-blocking");
  return events;
}

}  // namespace ringback::hypervisor
