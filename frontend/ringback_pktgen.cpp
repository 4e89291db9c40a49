// ringback-pktgen: generates frames on vifs of this domain and receives them on others.

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "frontend/pktgen/pktgen.hpp"

namespace {

using namespace ringback;
using frontend::PktgenOptions;
using hypervisor::Descriptor;

struct Settings {
  PktgenOptions options;
  std::string sizes = "60", senders = "0", sinks = "1", to;
  std::optional<unsigned> cpu;
  bool json = false;
};

Result<void> read(Settings& settings) {
  auto& options = settings.options;
  auto sizes = frontend::parse_sizes(settings.sizes);
  if (!sizes) return tl::unexpected(sizes.error());
  auto senders = frontend::parse_devices(settings.senders);
  if (!senders) return tl::unexpected(senders.error());
  auto sinks = frontend::parse_devices(settings.sinks);
  if (!sinks) return tl::unexpected(sinks.error());
  if (!settings.to.empty()) {
    const auto to = xenstore::parse_mac(settings.to);
    if (!to) return failure(EINVAL, "--to: " + to.error().what);
    options.to = *to;
  }
  options.sizes = std::move(*sizes);
  options.senders = std::move(*senders);
  options.sinks = std::move(*sinks);
  return frontend::check(options);
}

Result<void> pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    return system_failure(fmt::format("--cpu: cannot run on CPU {} (see nproc, taskset -p)", cpu));
  return {};
}

Result<Descriptor> receive_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&set, signal);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return system_failure("cannot block signals");
  Descriptor signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return system_failure("cannot receive signals");
  return signals;
}

Result<frontend::PktgenReport> measure(const Settings& settings) {
  if (settings.cpu) {
    if (auto pinned = pin(*settings.cpu); !pinned) return tl::unexpected(pinned.error());
  }
  // Pauses between frames are shorter than the kernel's usual tolerance of 50 us.
  prctl(PR_SET_TIMERSLACK, 1UL);
  const auto signals = receive_signals();
  if (!signals) return tl::unexpected(signals.error());
  auto loop = hypervisor::EventLoop::open();
  if (!loop) return tl::unexpected(loop.error());
  auto pktgen = frontend::Pktgen::open(**loop, settings.options);
  if (!pktgen) return tl::unexpected(pktgen.error());
  bool ending = false;
  return (*pktgen)->run([&] {
    signalfd_siginfo signal;
    ending = ending || ::read(signals->get(), &signal, sizeof signal) == sizeof signal;
    return ending;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  auto& options = settings.options;
  CLI::App app(
      "Generates frames on vifs of this domain, receives them on others of its vifs, and says how "
      "many went\nhow fast, and what was lost, doubled, overtaken or changed.");
  app.set_version_flag("--version", "ringback-pktgen " RINGBACK_VERSION);
  app.add_option("--send", settings.senders, "The vifs that send: 0, or 0,2, or 0-15")
      ->capture_default_str();
  app.add_option("--sink", settings.sinks, "The vifs that receive; one may do both")
      ->capture_default_str();
  app.add_option(
      "--to", settings.to,
      "The MAC address that frames go to, where none of these vifs receives (--sink '')");
  app.add_option("--size", settings.sizes,
                 "Bytes of a frame without its checksum, 60 to 65535: one size, several in turn "
                 "(60,1514), or imix. Above 1514 it is a TCP frame to be segmented")
      ->capture_default_str();
  app.add_option("--rate", options.rate, "Frames a second of all senders together; 0: no limit")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--burst", options.burst, "Frames that are put at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 240));
  app.add_option("--duration", options.seconds, "Seconds to measure")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 86400.0));
  app.add_option("--warm-up", options.warm_up, "Seconds before that")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--flows", options.flows,
                 "Flows of each sender, by UDP ports and IP addresses; no fewer than queues")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--addresses", options.addresses, "MAC addresses of each vif")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--queues", options.queues, "Queues of each vif, if the backend offers as many")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_flag("!--no-offload", options.offload, "No segmentation and no scatter-gather");
  app.add_flag("--touch", options.touch,
               "Write every byte of payload, and read and compare it at the sink");
  app.add_flag("--latency", options.latency, "Time each frame from when it was due");
  app.add_flag("--sleep", options.sleep,
               "Sleep until an event where there is nothing to do, as a guest does; else poll");
  app.add_option("--cpu", settings.cpu, "Run on this CPU only");
  app.add_option("--wait", options.wait, "Seconds to wait for the vifs to connect")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_flag("--json", settings.json, "Print one line of JSON");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(spdlog::stderr_color_mt("ringback-pktgen"));
  spdlog::set_level(spdlog::level::warn);

  if (auto good = read(settings); !good) {
    spdlog::error("{}", good.error().what);
    return 2;
  }
  const auto report = measure(settings);
  if (!report) {
    spdlog::error("{}", report.error().what);
    return 1;
  }
  if (settings.json)
    std::cout << frontend::to_json(*report) << std::endl;
  else
    std::cout << frontend::to_text(*report) << std::flush;
  if (report->corrupt > 0) {
    spdlog::error("{} frames arrived with other bytes than were sent", report->corrupt);
    return 1;
  }
  return 0;
}
