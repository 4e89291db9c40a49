// The two ends of generated traffic, whatever carries it: a Source says which frame is next, a
// Collector reads what has come. Each belongs to one thread.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "frontend/pktgen/frames.hpp"
#include "frontend/pktgen/report.hpp"
#include "frontend/pktgen/sequence.hpp"

namespace ringback::frontend {

// A flow that nobody counts: frames that only say where somebody is.
inline constexpr std::uint32_t hello_flow = UINT32_MAX;

// Flows in turn, sizes in turn.
class Source {
 public:
  struct Flow {
    std::uint32_t number;  // of the flow, among all sources
    MacAddress from, to;
  };
  Source(std::span<const Flow> flows, std::span<const std::size_t> sizes);

  const FrameHead& head() const { return heads_[flow_ * sizes_ + size_]; }
  // The stamp of the frame with head(), which is to be sent; then the next one's turn has come.
  Stamp take(std::uint64_t time) {
    const std::size_t flow = flow_;
    sent_.frames += 1;
    sent_.bytes += head().size;
    if (++flow_ == flows_.size()) flow_ = 0;
    if (++size_ == sizes_) size_ = 0;
    return {flows_[flow].number, flows_[flow].next++, time};
  }

  const PktgenReport::Counts& sent() const { return sent_; }

 private:
  struct State {
    std::uint32_t number;
    std::uint32_t next = 0;
  };
  std::vector<State> flows_;
  std::vector<FrameHead> heads_;  // of each flow, of each size
  std::size_t sizes_;
  std::size_t flow_ = 0;
  std::size_t size_ = 0;
  PktgenReport::Counts sent_;
};

class Collector {
 public:
  // flows: that there may be. touch: the payload is read and compared.
  Collector(std::size_t flows, bool touch) : touch_(touch), sequences_(flows) {}

  // A frame of `size` bytes in all has come, at `now`.
  void see(std::span<const iovec> frame, std::size_t size, std::uint64_t now);

  // Whether latencies are recorded.
  void set_timing(bool on) { timing_ = on; }

  const PktgenReport::Counts& received() const { return received_; }
  // What it knows of all that came.
  void add_to(PktgenReport& report) const;

 private:
  bool touch_;
  bool timing_ = false;
  std::vector<Sequence> sequences_;
  PktgenReport::Counts received_;
  Arrivals arrivals_;
  Histogram latency_;
  std::uint64_t corrupt_ = 0;
  std::uint64_t foreign_ = 0;
};

}  // namespace ringback::frontend
