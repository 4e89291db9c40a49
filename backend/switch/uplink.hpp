// A switch's place in the host, one of its ports: a tap, for the host to give an address or put
// into a bridge, or a network device itself (AF_XDP). It has one queue or more, each served by one
// worker; any worker delivers to them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/counters.hpp"
#include "backend/port/tap_frames.hpp"
#include "backend/sink.hpp"
#include "backend/statistics.hpp"
#include "backend/switch/software_switch.hpp"
#include "backend/task.hpp"
#include "backend/worker.hpp"
#include "hypervisor/tap.hpp"
#include "hypervisor/xdp_device.hpp"
#include "hypervisor/xdp_socket.hpp"

namespace ringback::backend {

// tx: what the host sent; rx: what it was given.
class UplinkQueue : public Task, public Sink {
 public:
  bool arm() override { return read_ == Read::now; }
  void readable() override { read_ = Read::now; }
  bool waits_to_read() const override { return read_ == Read::when_readable; }
  std::optional<Fault> fault() const override {
    if (read_ != Read::never) return std::nullopt;
    return Fault{Fault::Of::device, "the tap of the uplink was deleted"};
  }

  const Counters& tx_counters() const { return from_host_; }
  const Counters& rx_counters() const { return to_host_; }

 protected:
  // index: among the uplink's queues.
  UplinkQueue(SwitchPort& port, std::size_t index) : port_(port), index_(index) {}
  void forward(std::span<Frame> burst, Copier& copier) {
    port_.send(burst, index_, copier, from_host_);
  }

  Read read_ = Read::now;
  Counters from_host_;
  std::mutex mutex_;  // guards to_host_ and what is written to, one burst at a time
  Counters to_host_;

 private:
  SwitchPort& port_;
  const std::size_t index_;
};

class TapUplinkQueue final : public UplinkQueue {
 public:
  TapUplinkQueue(SwitchPort& port, std::size_t index, int descriptor)
      : UplinkQueue(port, index), descriptor_(descriptor), frames_(descriptor) {}
  bool serve(Copier& copier) override;
  int fd() const override { return descriptor_; }
  void deliver(std::span<Frame* const> frames, Copier& copier) override;

 private:
  const int descriptor_;
  TapFrames frames_;
};

// Frames leave as a network has them: whole, of a page at most, and with their checksums. Segments
// that come in together go on as a super-frame (net/coalesce.hpp).
class XdpUplinkQueue final : public UplinkQueue {
 public:
  XdpUplinkQueue(SwitchPort& port, std::size_t index, std::unique_ptr<hypervisor::XdpSocket> socket)
      : UplinkQueue(port, index), socket_(std::move(socket)) {}
  bool serve(Copier& copier) override;
  int fd() const override { return socket_->fd(); }
  void deliver(std::span<Frame* const> frames, Copier& copier) override;

 private:
  void send(std::span<Frame* const> frames, Copier& copier);
  void send_segments(Frame& frame, Copier& copier);

  const std::unique_ptr<hypervisor::XdpSocket> socket_;
};

class Uplink {
 public:
  // name: the port's.
  Uplink(std::shared_ptr<SoftwareSwitch> to, std::string name, hypervisor::Tap tap);
  Uplink(std::shared_ptr<SoftwareSwitch> to, std::string name, hypervisor::XdpDevice device,
         std::vector<std::unique_ptr<hypervisor::XdpSocket>> sockets);

  // The control thread, as all that follows. Its queues are served by the least busy of these, and
  // the switch's frames come here, until it ends.
  Result<void> begin(const std::vector<std::unique_ptr<Worker>>& workers);
  void end();
  ~Uplink() { end(); }
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  void add_to(Statistics& statistics) const;
  bool owns(const Task* task) const;
  // The device that it has to itself is no longer there. (A tap's worker reports that.)
  bool lost_device() const { return device_ && !device_->exists(); }
  bool has_device() const { return device_.has_value(); }
  // As SoftwareSwitch::set_policy.
  bool set_policy(const xenstore::PortPolicy& policy) { return port_.set_policy(policy); }

 private:
  std::optional<hypervisor::Tap> tap_;
  std::optional<hypervisor::XdpDevice> device_;
  SwitchPort port_;
  std::vector<std::unique_ptr<UplinkQueue>> queues_;
  std::vector<Worker*> served_by_;  // the first of them
};

}  // namespace ringback::backend
