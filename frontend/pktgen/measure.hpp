// The course of a measurement, whatever carries the frames: warm up, measure, and take what is
// still on its way.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>

#include "frontend/pktgen/report.hpp"

namespace ringback::frontend {

inline std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                    std::chrono::nanoseconds(1));
}
constexpr std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

// How much there has been so far.
struct Totals {
  PktgenReport::Counts sent, received;
  std::uint64_t notifications = 0;
  std::uint64_t events = 0;
};

inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// round(now): sends and receives; false ends it early. totals(): as they are. timing(on): whether
// latencies count. Fills in what was measured.
template <class Round, class TotalsNow, class Timing>
void measure(double warm_up, double seconds, PktgenReport& report, Round round, TotalsNow totals,
             Timing timing) {
  std::uint64_t now = now_ns();
  const std::uint64_t opens = now + to_ns(warm_up);
  for (; now < opens; now = now_ns())
    if (!round(now)) return;

  const Totals before = totals();
  const double cpu = cpu_seconds();
  const std::uint64_t opened = now;
  const std::uint64_t closes = opened + to_ns(seconds);
  timing(true);
  for (; now < closes; now = now_ns())
    if (!round(now)) break;
  timing(false);
  const Totals after = totals();
  report.cpu_seconds = cpu_seconds() - cpu;
  report.seconds = static_cast<double>(now - opened) / 1e9;
  const auto difference = [](const PktgenReport::Counts& a, const PktgenReport::Counts& b) {
    return PktgenReport::Counts{b.frames - a.frames, b.bytes - a.bytes};
  };
  report.sent = difference(before.sent, after.sent);
  report.received = difference(before.received, after.received);
  report.notifications = after.notifications - before.notifications;
  report.events = after.events - before.events;
}

// Goes on with receive(now), which says whether anything came, until nothing has for a while.
template <class Receive>
void drain(Receive receive) {
  constexpr std::uint64_t quiet = 20'000'000, longest = 1'000'000'000;
  const std::uint64_t begun = now_ns();
  std::uint64_t last = begun;
  for (std::uint64_t now = begun; now - last < quiet && now - begun < longest; now = now_ns())
    if (receive(now)) last = now;
}

}  // namespace ringback::frontend
