// A switch's place in the host: a tap that is one of the switch's ports, for the host to give an
// address or put into a bridge. Served by one worker; any worker delivers to it.
#pragma once

#include <memory>
#include <mutex>

#include "backend/counters.hpp"
#include "backend/port/tap_frames.hpp"
#include "backend/sink.hpp"
#include "backend/switch/software_switch.hpp"
#include "backend/task.hpp"
#include "hypervisor/tap.hpp"

namespace ringback::backend {

class Uplink final : public Task, public Sink {
 public:
  // name: the port's.
  Uplink(std::shared_ptr<SoftwareSwitch> to, std::string name, hypervisor::Tap tap)
      : tap_(std::move(tap)), frames_(tap_.queue(0)), port_(std::move(to), std::move(name)) {}

  // From its worker serving it until before that stops: the switch's frames come here. The control
  // thread.
  void connect() { port_.connect({this}); }
  void disconnect() { port_.connect({}); }

  bool serve(Copier& copier) override;
  bool arm() override { return read_ == Read::now; }
  void readable() override { read_ = Read::now; }
  bool waits_to_read() const override { return read_ == Read::when_readable; }
  int fd() const override { return tap_.queue(0); }
  std::optional<Fault> fault() const override;
  void deliver(std::span<Frame* const> frames, Copier& copier) override;

  // tx: what the host sent; rx: what it was given.
  const Counters& tx_counters() const { return from_host_; }
  const Counters& rx_counters() const { return to_host_; }

 private:
  hypervisor::Tap tap_;
  TapFrames frames_;
  SwitchPort port_;
  Read read_ = Read::now;
  Counters from_host_;
  std::mutex mutex_;  // guards to_host_, one burst at a time
  Counters to_host_;
};

}  // namespace ringback::backend
