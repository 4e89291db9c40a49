// A traffic generator and sink on vifs of this domain, without a network stack: frames are made in
// granted pages and read in them.
//
//   Source -> write -> tx ring of a sender   ...   rx ring of a sink -> Collector -> PktgenReport
//
// All of it on the thread that calls run().
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "frontend/pktgen/measure.hpp"
#include "frontend/pktgen/options.hpp"
#include "frontend/pktgen/pacer.hpp"
#include "frontend/pktgen/pktgen_vif.hpp"
#include "frontend/pktgen/traffic.hpp"

namespace ringback::frontend {

class Pktgen {
 public:
  // loop outlives it. options: checked.
  static Result<std::unique_ptr<Pktgen>> open(hypervisor::EventLoop& loop, PktgenOptions options);
  Pktgen(const Pktgen&) = delete;
  Pktgen& operator=(const Pktgen&) = delete;

  // Connects, measures and closes; it takes no longer than the options say, and some seconds.
  // interrupted: asked now and then whether to end early, with what there is.
  Result<PktgenReport> run(const std::function<bool()>& interrupted);

 private:
  // A tx ring that traffic leaves by.
  struct Sender {
    QueueRings* rings;
    Source source;
  };

  Pktgen(hypervisor::EventLoop& loop, PktgenOptions options,
         std::unique_ptr<hypervisor::EventChannels> channels,
         std::unique_ptr<hypervisor::GrantSharer> sharer);

  Result<void> open_vifs();
  Result<void> connect(const std::function<bool()>& interrupted);
  std::string reason_for(PktgenVif& vif) const;
  Result<void> check_sizes() const;
  const PktgenVif& find(std::uint32_t number) const;
  MacAddress destination(std::size_t sender, std::size_t flow, std::uint32_t which) const;
  void make_senders();
  Result<void> say_hello(const std::function<bool()>& interrupted);
  Result<void> greet(PktgenVif& vif, PktgenVif& other, const std::function<bool()>& interrupted);
  void put(QueueRings& rings, const FrameHead& head, const Stamp& stamp) const;
  bool send(Sender& sender, std::uint64_t now);
  bool receive(QueueRings& rings, std::uint64_t now);
  bool round(std::uint64_t now, bool sending);
  bool look_around(std::uint64_t now, const std::function<bool()>& interrupted);
  void sleep(std::uint64_t now);
  Totals totals() const;
  void close();

  hypervisor::EventLoop& loop_;
  const PktgenOptions options_;
  std::unique_ptr<hypervisor::EventChannels> channels_;
  std::unique_ptr<hypervisor::GrantSharer> sharer_;
  std::vector<std::unique_ptr<PktgenVif>> vifs_;
  std::vector<Sender> senders_;
  std::size_t turn_ = 0;         // the sender that is first
  std::size_t burst_ = 1;        // frames; as many as options_ says, or as a ring has room for
  std::size_t burst_slots_ = 1;  // that they take at most
  std::unique_ptr<Collector> collector_;
  Counters counters_;
  std::optional<Pacer> pacer_;
  std::uint64_t looked_around_ = 0;
  std::uint64_t events_ = 0;
  std::vector<hypervisor::Port> masked_;
  std::optional<Error> fault_;
};

}  // namespace ringback::frontend
