#include "machine.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

namespace ringback::bench {

TEST_CASE("What others had of the CPUs is what the machine did beyond us") {
  const double per_second = static_cast<double>(sysconf(_SC_CLK_TCK)) *
                            static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  const auto share = [&](const CpuTime& machine, const CpuTime& own) {
    return foreign_share({}, {}, machine, own, 1) * per_second;
  };
  CHECK(share({.user = 100, .system = 50}, {.user = 90, .system = 50}) == doctest::Approx(10));
  CHECK(share({.stolen = 7}, {}) == doctest::Approx(7));
  // Our system time has interrupts in it that the machine's has not: others' user time still shows.
  CHECK(share({.user = 100, .system = 10}, {.user = 60, .system = 30}) == doctest::Approx(40));
}

TEST_CASE("This process is among the own ones and the machine did at least as much") {
  volatile std::uint64_t work = 0;
  const auto before = of_own_processes();
  for (std::uint64_t i = 0; i < 100'000'000; ++i) work = work + i;
  const auto after = of_own_processes();
  CHECK(after.user + after.system > before.user + before.system);
  const auto machine = of_machine();
  CHECK(machine.user > 0);
}

}  // namespace ringback::bench
