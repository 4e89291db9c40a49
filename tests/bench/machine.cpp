#include "machine.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace ringback::bench {
namespace {

constexpr std::size_t rounds = 4000;

// Before everything else on that CPU, so that what polls there does not come in between.
bool run_first_on(unsigned cpu) {
  if (!run_on(cpu)) return false;
  const sched_param first{.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &first);
  return true;
}

}  // namespace

bool run_on(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

std::optional<double> distance(unsigned cpu, unsigned other) {
  struct alignas(128) Line {
    std::atomic<std::uint32_t> turn{0};
  } line;
  std::atomic<int> there{0};
  std::vector<std::uint32_t> times(rounds);
  const auto play = [&](unsigned where, std::uint32_t mine) {
    const bool allowed = run_first_on(where);
    there.fetch_add(allowed ? 1 : 100);
    while (there.load() < 2) std::this_thread::yield();
    if (there.load() != 2) return;
    auto before = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < rounds; ++i) {
      while (line.turn.load(std::memory_order_acquire) != 2 * i + mine) {
      }
      line.turn.store(2 * i + mine + 1, std::memory_order_release);
      if (mine != 0) continue;
      const auto now = std::chrono::steady_clock::now();
      times[i] = static_cast<std::uint32_t>((now - before) / std::chrono::nanoseconds(1));
      before = now;
    }
  };
  std::thread a(play, cpu, 0), b(play, other, 1);
  a.join();
  b.join();
  if (there.load() != 2) return std::nullopt;
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[rounds / 2] / 2.0;
}

// The first line of /proc/stat: cpu user nice system idle iowait irq softirq steal (proc(5)). What
// interrupts do is nobody's.
CpuTime of_machine() {
  std::ifstream file("/proc/stat");
  std::string name;
  std::array<std::uint64_t, 8> ticks{};
  file >> name;
  for (auto& tick : ticks) file >> tick;
  return {.user = ticks[0] + ticks[1], .system = ticks[2], .stolen = ticks[7]};
}

CpuTime of_own_processes() {
  CpuTime all;
  std::error_code problem;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", problem)) {
    if (std::isdigit(entry.path().filename().native()[0]) == 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    // Behind the name, which may have spaces: state, ten more, utime, stime, cutime, cstime.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) continue;
    std::vector<std::string> fields;
    for (std::size_t at = name_end + 2; at < line.size() && fields.size() < 15;) {
      const auto space = std::min(line.find(' ', at), line.size());
      fields.push_back(line.substr(at, space - at));
      at = space + 1;
    }
    if (fields.size() < 15) continue;
    all.user += std::stoull(fields[11]) + std::stoull(fields[13]);
    all.system += std::stoull(fields[12]) + std::stoull(fields[14]);
  }
  return all;
}

double foreign_share(const CpuTime& machine_before, const CpuTime& own_before,
                     const CpuTime& machine_after, const CpuTime& own_after, double seconds) {
  // Each by itself: the kernel counts what it does in interrupts to the process that was there, so
  // that our own system time is rather too much.
  const auto excess = [](std::uint64_t all, std::uint64_t own) {
    return all > own ? static_cast<double>(all - own) : 0.0;
  };
  const double foreign =
      excess(machine_after.user - machine_before.user, own_after.user - own_before.user) +
      excess(machine_after.system - machine_before.system, own_after.system - own_before.system) +
      excess(machine_after.stolen - machine_before.stolen, 0);
  const double ticks = seconds * static_cast<double>(sysconf(_SC_CLK_TCK)) *
                       static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  return ticks > 0 ? foreign / ticks : 0;
}

}  // namespace ringback::bench
