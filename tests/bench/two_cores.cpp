// two_cores switch|bound [options]: two guests on one core, as cheap as the protocol allows, and on
// another what is between them: the switch, or the bound. They write and read as many bytes of each
// frame as ringback-pktgen does. What the cache lines between two cores cost is all that keeps the
// bound from more. To be run in domain 0 of the embedded hypervisor (in_domains.sh).
#include <CLI/CLI.hpp>
#include <iostream>
#include <thread>

#include "bound.hpp"
#include "frontend/pktgen/frames.hpp"
#include "frontend/pktgen/measure.hpp"
#include "guest.hpp"
#include "machine.hpp"
#include "switched.hpp"

namespace {

using namespace ringback;
using namespace ringback::bench;
using namespace ringback::frontend;

// Headers, and the stamp of a segmented frame (frontend/pktgen/frames.hpp).
constexpr std::size_t always_touched = 72;

struct Settings {
  std::string between;
  std::size_t size = 60, burst = 32;
  double seconds = 1, warm_up = 0.2;
  bool touch = false;
  unsigned guests_cpu = 0, switch_cpu = 1;
};

void only_on(unsigned cpu) {
  if (!run_on(cpu)) throw std::runtime_error("may not run on CPU " + std::to_string(cpu));
}

template <class Forwarder>
PktgenReport run(const Settings& settings) {
  // At most half of the ring, so that the other half can be under way.
  const std::size_t slots = (settings.size + ring::page_size - 1) / ring::page_size;
  const std::size_t burst = std::min(settings.burst, Guest::page_count / 2 / slots);
  Guest from(1);
  Guest to(2);
  from.prepare(settings.size, mac_of(2));
  to.prepare(shortest_frame, mac_of(1));
  Forwarder between({&from, &to});
  between.know(2);
  to.send(1);  // so that it is known where it is
  between.forward();
  between.forward();

  only_on(settings.switch_cpu);  // the thread begins there, and ends before what it uses
  const std::jthread forwarder([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) between.forward();
  });
  only_on(settings.guests_cpu);
  const std::size_t touched = settings.touch ? settings.size : always_touched;
  Totals totals;
  PktgenReport report;
  measure(
      settings.warm_up, settings.seconds, report,
      [&](std::uint64_t) {
        from.take_answers();
        if (from.has_room(burst)) {
          from.write_payload(burst, touched);
          totals.sent.frames += from.send(burst);
        }
        totals.received.frames += to.receive(touched);
        return true;
      },
      [&] {
        totals.sent.bytes = totals.sent.frames * settings.size;
        totals.received.bytes = totals.received.frames * settings.size;
        return totals;
      },
      [](bool) {});
  return report;
}

}  // namespace

int main(int argc, char** argv) try {
  Settings settings;
  CLI::App app("Two guests on one core, and what is between them on another.");
  app.add_option("between", settings.between)
      ->required()
      ->check(CLI::IsMember({"switch", "bound"}));
  app.add_option("--size", settings.size)->check(CLI::Range(shortest_frame, longest_frame));
  app.add_option("--burst", settings.burst)->check(CLI::Range(1, 64));
  app.add_option("--duration", settings.seconds);
  app.add_option("--warm-up", settings.warm_up);
  app.add_option("--guests-cpu", settings.guests_cpu);
  app.add_option("--switch-cpu", settings.switch_cpu);
  app.add_flag("--touch", settings.touch);
  CLI11_PARSE(app, argc, argv);
  const bool bound = settings.between == "bound";
  std::cout << to_json(bound ? run<Bound>(settings) : run<Switched>(settings)) << std::endl;
  return 0;
} catch (const std::exception& error) {
  std::cerr << "two_cores: " << error.what() << std::endl;
  return 1;
}
