// What a machine that is shared does to a measurement: how far apart two of its CPUs are at the
// moment, and how much of their time others take.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace ringback::bench {

// Puts the calling thread on that CPU alone; false if it may not run there.
bool run_on(unsigned cpu);

// Nanoseconds that a cache line takes from one CPU to the other, one way: the median of many.
// Nothing if this process may not run on them. Takes some milliseconds of both, before all others
// where it is allowed to.
std::optional<double> distance(unsigned cpu, unsigned other);

// CPU time so far, in ticks of the kernel's clock.
struct CpuTime {
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  std::uint64_t stolen = 0;  // by the machine below
};
CpuTime of_machine();
// Of all processes that can be seen in /proc: to be run in a process namespace of one's own.
CpuTime of_own_processes();

// The share of all CPUs' time that others had between two readings.
double foreign_share(const CpuTime& machine_before, const CpuTime& own_before,
                     const CpuTime& machine_after, const CpuTime& own_after, double seconds);

}  // namespace ringback::bench
