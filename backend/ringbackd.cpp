// The daemon: a drop-in for the kernel's netback, in dom0 or a driver domain, or on the embedded
// hypervisor.
#include <sys/resource.h>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <thread>

#include "backend/daemon.hpp"

namespace {

// Each vif has descriptors for its queues; there is no limit on vifs but memory.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Serves the network devices of Xen guests from userspace. All else is configured in "
      "xenstore.",
      "ringbackd");
  app.set_version_flag("--version", "ringbackd " RINGBACK_VERSION);
  std::size_t workers = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
  std::string level = "info";
  auto io = ringback::hypervisor::Io::Kind::best;
  app.add_option("--workers", workers, "threads that move frames")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  using Kind = ringback::hypervisor::Io::Kind;
  app.add_option("--io", io, "how frames move through taps; best: io_uring, or epoll without")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Kind>{
          {"best", Kind::best}, {"io_uring", Kind::uring}, {"epoll", Kind::epoll}}))
      ->default_str("best");
  app.add_option("--log-level", level, "least severity logged")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  spdlog::set_default_logger(spdlog::stderr_color_mt("ringbackd"));
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e ringbackd %l: %v");
  spdlog::flush_on(spdlog::level::info);
  raise_descriptor_limit();

  auto daemon = ringback::backend::Daemon::start(workers, io);
  if (!daemon) {
    spdlog::error("{}", daemon.error().what);
    return 1;
  }
  if (const auto ran = (*daemon)->run(); !ran) {
    spdlog::error("{}", ran.error().what);
    return 1;
  }
  return 0;
}
