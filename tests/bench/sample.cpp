// sample COMMAND...: runs it, and says beside what it prints (one line of JSON) how far the CPUs 0
// and 1 were apart before and after, and which share of the machine others had meanwhile. To be run
// in a process namespace that holds all that belongs to the measurement.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "machine.hpp"

namespace {

using namespace ringback::bench;

// Cache lines take 25 to 87 ns between CPUs that share a cache, 245 and more between others.
constexpr double near_below = 150;

struct Ran {
  int status = -1;
  std::string output;
};

Ran run(char** command) {
  std::array<int, 2> ends;
  if (pipe(ends.data()) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(command[0], command);
    std::perror(command[0]);
    _exit(127);
  }
  close(ends[1]);
  Ran ran;
  std::array<char, 4096> buffer;
  for (ssize_t got; child > 0 && (got = read(ends[0], buffer.data(), buffer.size())) > 0;)
    ran.output.append(buffer.data(), static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  if (child > 0 && waitpid(child, &status, 0) == child)
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

const char* class_of(double before, double after) {
  if (before < near_below && after < near_below) return "near";
  if (before >= near_below && after >= near_below) return "far";
  return "moved";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: sample COMMAND [ARGUMENT...]\n";
    return 2;
  }
  const auto before = distance(0, 1);
  const auto machine_before = of_machine(), own_before = of_own_processes();
  const auto begun = std::chrono::steady_clock::now();
  const Ran ran = run(argv + 1);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  const auto machine_after = of_machine(), own_after = of_own_processes();
  const auto after = distance(0, 1);
  if (!before || !after) {
    std::cerr << "sample: this needs the CPUs 0 and 1 (see nproc, taskset -p)\n";
    return 1;
  }
  if (ran.status != 0) {
    std::cerr << ran.output;
    return ran.status < 0 ? 1 : ran.status;
  }
  auto result = nlohmann::ordered_json::parse(ran.output, nullptr, false);
  if (result.is_discarded()) {
    std::cerr << "sample: this is not JSON: " << ran.output << '\n';
    return 1;
  }
  result["machine"] = {{"class", class_of(*before, *after)},
                       {"distance_ns", {*before, *after}},
                       {"foreign", foreign_share(machine_before, own_before, machine_after,
                                                 own_after, took.count())}};
  std::cout << result.dump() << std::endl;
  return 0;
}
