#include "frontend/pktgen/traffic.hpp"

#include <algorithm>

namespace ringback::frontend {
namespace {

// As much of a frame as read_stamp() wants.
constexpr std::size_t wanted = 72;

}  // namespace

Source::Source(std::span<const Flow> flows, std::span<const std::size_t> sizes)
    : sizes_(sizes.size()) {
  for (const auto& flow : flows) {
    flows_.push_back({.number = flow.number});
    for (const auto size : sizes)
      heads_.push_back(make_head(flow.from, flow.to, flow.number, size));
  }
}

void Collector::see(std::span<const iovec> frame, std::size_t size, std::uint64_t now) {
  std::span first(static_cast<const std::byte*>(frame[0].iov_base), frame[0].iov_len);
  std::array<std::byte, wanted> gathered;
  if (first.size() < wanted && frame.size() > 1) {
    std::size_t done = 0;
    for (const auto& part : frame) {
      const std::size_t here = std::min(part.iov_len, wanted - done);
      std::memcpy(gathered.data() + done, part.iov_base, here);
      done += here;
    }
    first = std::span(gathered).first(done);
  }
  const auto stamp = read_stamp(first);
  if (!stamp || stamp->flow >= sequences_.size()) {
    foreign_ += !stamp || stamp->flow != hello_flow;
    return;
  }
  sequences_[stamp->flow].see(stamp->number, arrivals_);
  received_.frames += 1;
  received_.bytes += size;
  if (touch_ && !payload_is_right(frame, *stamp)) ++corrupt_;
  if (timing_) latency_.record(now - std::min(now, stamp->time));
}

void Collector::add_to(PktgenReport& report) const {
  report.arrivals = arrivals_;
  report.latency = latency_;
  report.corrupt = corrupt_;
  report.foreign = foreign_;
}

}  // namespace ringback::frontend
