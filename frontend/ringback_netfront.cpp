// ringback-netfront: a guest's network device in userspace. It joins a vif of this domain to a tap.

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>

#include "frontend/netfront.hpp"

namespace {

using namespace ringback;
using hypervisor::Descriptor;
using hypervisor::EventLoop;

// How long a backend may take to answer that this side closes.
constexpr auto closing_time = std::chrono::seconds(5);

// Blocks the signals for the whole process, so call it before threads are made.
Result<Descriptor> receive_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  if (const int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0)
    return system_failure("cannot block signals", code);
  Descriptor signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return system_failure("cannot receive signals");
  return signals;
}

void report(const frontend::Netfront& netfront, const std::string& file) {
  if (file.empty()) {
    std::cout << netfront.statistics() << std::endl;
    return;
  }
  std::ofstream out(file, std::ios::app);
  if (!(out << netfront.statistics() << std::endl)) spdlog::error("cannot write to {}", file);
}

struct Settings {
  frontend::NetfrontOptions netfront;
  std::optional<unsigned> wait_seconds;
  std::string statistics;
};

Result<void> serve(const Settings& settings) {
  auto signals = receive_signals();
  if (!signals) return tl::unexpected(signals.error());
  auto loop = EventLoop::open();
  if (!loop) return tl::unexpected(loop.error());
  auto netfront = frontend::Netfront::open(**loop, settings.netfront);
  if (!netfront) return tl::unexpected(netfront.error());

  bool ending = false;
  auto heard = (*loop)->add(signals->get(), EPOLLIN, [&](std::uint32_t) {
    signalfd_siginfo signal;
    if (::read(signals->get(), &signal, sizeof signal) != sizeof signal) return;
    if (signal.ssi_signo == SIGUSR1) {
      report(**netfront, settings.statistics);
      return;
    }
    // Closing takes some turns of the loop; who insists does not wait for them.
    if (std::exchange(ending, true)) return (*loop)->stop();
    (*loop)->after(closing_time, [&] { (*loop)->stop(); });
    (*netfront)->close();
  });
  if (!heard) return heard;

  bool waited_in_vain = false;
  if (settings.wait_seconds) {
    (*loop)->after(std::chrono::seconds(*settings.wait_seconds), [&] {
      waited_in_vain = !(*netfront)->has_appeared();
      if (waited_in_vain) (*loop)->stop();
    });
  }
  auto ran = (*loop)->run();
  if (!settings.statistics.empty()) report(**netfront, settings.statistics);
  if (!ran) return ran;
  if ((*netfront)->broken()) return tl::unexpected(*(*netfront)->broken());
  if (waited_in_vain)
    return failure(
        ETIMEDOUT,
        fmt::format("no vif {} within {} s (has the toolstack attached it to this domain?)",
                    settings.netfront.device, *settings.wait_seconds));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::string mac;
  auto& options = settings.netfront;
  CLI::App app("Joins a vif of this domain to a tap in the present network namespace.");
  app.set_version_flag("--version", "ringback-netfront " RINGBACK_VERSION);
  app.add_option("--device", options.device, "The vif's number")->capture_default_str();
  app.add_option("--tap", options.tap, "The tap's name")->capture_default_str();
  app.add_option("--queues", options.queues, "Queues to use, if the backend offers as many")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_flag("!--no-offload", options.offload,
               "Whole frames with complete checksums only, both ways");
  app.add_option("--mac", mac, "MAC address, instead of the one in the store");
  app.add_option("--mtu", options.mtu, "MTU, instead of the one in the store or 1500")
      ->check(CLI::Range(68, 65535));
  app.add_option("--wait", settings.wait_seconds,
                 "Seconds to wait for the vif to appear (default: for ever)");
  app.add_option("--statistics", settings.statistics,
                 "Append the counters to this file, as a line of JSON, on SIGUSR1 and at the end "
                 "(otherwise to standard output, on SIGUSR1 only)");
  app.add_flag("--verify-checksums", options.verify_checksums,
               "Sum the frames that are received, and count wrong checksums");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(spdlog::stderr_color_mt("ringback-netfront"));

  if (!mac.empty()) {
    const auto parsed = xenstore::parse_mac(mac);
    if (!parsed) {
      spdlog::error("--mac: {}", parsed.error().what);
      return 2;
    }
    options.mac = *parsed;
  }
  if (auto served = serve(settings); !served) {
    spdlog::error("{}", served.error().what);
    return 1;
  }
  return 0;
}
