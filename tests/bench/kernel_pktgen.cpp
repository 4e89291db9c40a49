// kernel_pktgen FROM TO [options]: the traffic of ringback-pktgen through what the kernel or
// another process forwards, from one end to another (ends.hpp). The sender has CPU 0, the receiver
// CPU 1: where nobody polls the second has nothing else to do. TO "none": only sends.

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>

#include "ends.hpp"
#include "frontend/counters.hpp"
#include "frontend/pktgen/measure.hpp"
#include "frontend/pktgen/pacer.hpp"
#include "frontend/pktgen/traffic.hpp"
#include "machine.hpp"
#include "net/vnet_header.hpp"

namespace {

using namespace ringback;
using namespace ringback::bench;
using namespace ringback::frontend;

constexpr MacAddress from = {0x02, 0, 0, 0, 0, 1}, to = {0x02, 0, 0, 0, 0, 2};

struct Settings {
  std::string from, to;
  std::size_t size = 60, burst = 32;
  double rate = 0, seconds = 1, warm_up = 0.2;
  bool touch = false, latency = false;
  unsigned send_cpu = 0, receive_cpu = 1;
};

void write(Place& place, const FrameHead& head, const Stamp& stamp, bool touch) {
  write_head(place.bytes.data(), head, stamp);
  if (touch) write_payload(place.bytes.data(), 0, head.size, head, stamp);
  place.size = head.size;
  place.header = {};
  if (head.offload.gso != net::Gso::none)
    place.header = *net::to_vnet_header(head.offload, place.bytes, place.size);
}

class Sender {
 public:
  Sender(const Settings& settings, End& end) : settings_(settings), end_(end) {}

  void run(const std::atomic<bool>& stop) {
    run_on(settings_.send_cpu);
    const Source::Flow flow[] = {{0, from, to}};
    Source source(flow, std::span(&settings_.size, 1));
    std::vector<Place> frames(settings_.burst);
    Pacer pacer(settings_.rate, now_ns());
    while (!stop.load(std::memory_order_relaxed)) {
      const std::uint64_t now = now_ns();
      if (!pacer.is_due(settings_.burst, now)) continue;
      const std::uint64_t time = settings_.rate > 0 ? pacer.due(settings_.burst) : now;
      for (auto& frame : frames) {
        const FrameHead& head = source.head();
        write(frame, head, source.take(time), settings_.touch);
      }
      pacer.sent(settings_.burst);
      for (std::size_t sent = 0; sent < frames.size() && !stop.load(std::memory_order_relaxed);) {
        const std::size_t taken = end_.send(std::span(frames).subspan(sent));
        sent += taken;
        sent_ += taken;
      }
    }
  }
  std::uint64_t sent() const { return sent_; }

 private:
  const Settings& settings_;
  End& end_;
  Counter sent_;
};

// A learning switch has to know where the sink is.
void say_hello(End& end) {
  const Source::Flow flow[] = {{hello_flow, to, from}};
  const std::size_t size[] = {shortest_frame};
  Source source(flow, size);
  Place place;
  write(place, source.head(), source.take(0), false);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (end.send(std::span(&place, 1)) == 0 && std::chrono::steady_clock::now() < deadline) {
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

PktgenReport run(const Settings& settings) {
  const auto sending = open_end(settings.from);
  const auto receiving = settings.to == "none" ? nullptr : open_end(settings.to);
  // Who opens a tap puts its cable in: bridges have to notice.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto collector = std::make_unique<Collector>(1, settings.touch);
  if (receiving) say_hello(*receiving);

  Sender sender(settings, *sending);
  std::atomic<bool> stop = false;
  std::thread thread([&] { sender.run(stop); });
  run_on(settings.receive_cpu);
  std::vector<Place> frames(64);
  const auto receive = [&](std::uint64_t) {
    if (!receiving) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return false;
    }
    const std::size_t count = receiving->receive(frames);
    const std::uint64_t now = now_ns();
    for (std::size_t i = 0; i < count; ++i) {
      const iovec part{frames[i].bytes.data(), frames[i].size};
      collector->see(std::span(&part, 1), part.iov_len, now);
    }
    return count > 0;
  };
  PktgenReport report;
  measure(
      settings.warm_up, settings.seconds, report,
      [&](std::uint64_t now) {
        receive(now);
        return true;
      },
      [&] {
        Totals totals;
        totals.sent = {sender.sent(), sender.sent() * settings.size};
        totals.received = collector->received();
        return totals;
      },
      [&](bool on) { collector->set_timing(on && settings.latency); });
  stop = true;
  drain(receive);
  thread.join();
  report.sent_in_all = sender.sent();
  collector->add_to(report);
  return report;
}

}  // namespace

int main(int argc, char** argv) try {
  Settings settings;
  CLI::App app("Generates frames at one end and receives them at another.");
  app.add_option("from", settings.from)->required();
  app.add_option("to", settings.to)->required();
  app.add_option("--size", settings.size)->check(CLI::Range(shortest_frame, longest_frame));
  app.add_option("--rate", settings.rate);
  app.add_option("--burst", settings.burst)->check(CLI::Range(1, 64));
  app.add_option("--duration", settings.seconds);
  app.add_option("--warm-up", settings.warm_up);
  app.add_option("--send-cpu", settings.send_cpu);
  app.add_option("--receive-cpu", settings.receive_cpu);
  app.add_flag("--touch", settings.touch);
  app.add_flag("--latency", settings.latency);
  CLI11_PARSE(app, argc, argv);
  std::cout << to_json(run(settings)) << std::endl;
  return 0;
} catch (const std::exception& error) {
  std::cerr << "kernel_pktgen: " << error.what() << std::endl;
  return 1;
}
