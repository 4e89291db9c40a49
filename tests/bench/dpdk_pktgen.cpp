// dpdk_pktgen EAL-OPTIONS -- [options]: the traffic of ringback-pktgen through two ports of DPDK
// (memif, virtio-user), from the first to the second: the same frames, the same work on them.

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "frontend/pktgen/frames.hpp"
#include "frontend/pktgen/measure.hpp"
#include "frontend/pktgen/pacer.hpp"
#include "frontend/pktgen/traffic.hpp"

namespace {

using namespace ringback::frontend;

constexpr std::uint16_t from_port = 0, to_port = 1;
constexpr std::uint16_t descriptors = 1024;
constexpr std::size_t most = 64;
constexpr MacAddress from = {0x02, 0, 0, 0, 0, 1}, to = {0x02, 0, 0, 0, 0, 2};

struct Settings {
  std::size_t size = 60;
  double rate = 0, seconds = 1, warm_up = 0.2, wait = 20;
  std::size_t burst = 32;
  bool touch = false, latency = false;
};

void must(int status, const char* what) {
  if (status < 0) throw std::runtime_error(std::string(what) + ": " + rte_strerror(-status));
}

class Generator {
 public:
  explicit Generator(const Settings& settings)
      : settings_(settings),
        pool_(rte_pktmbuf_pool_create("frames", 16383, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                      static_cast<int>(rte_socket_id()))),
        pacer_(settings.rate, now_ns()) {
    if (pool_ == nullptr) throw std::runtime_error("no memory for frames");
    if (rte_eth_dev_count_avail() != 2)
      throw std::runtime_error("there have to be two ports: give two --vdev");
    for (const std::uint16_t port : {from_port, to_port}) start(port);
  }

  void wait_for_links() const {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(settings_.wait);
    for (const std::uint16_t port : {from_port, to_port}) {
      for (rte_eth_link link{};;) {
        must(rte_eth_link_get_nowait(port, &link), "link");
        if (link.link_status == RTE_ETH_LINK_UP) break;
        if (std::chrono::steady_clock::now() > deadline)
          throw std::runtime_error("port " + std::to_string(port) +
                                   " has no link: is the switch at the other end?");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
  }

  PktgenReport run() {
    PktgenReport report;
    say_hello();
    measure(
        settings_.warm_up, settings_.seconds, report,
        [&](std::uint64_t now) {
          send(now);
          receive(now);
          return true;
        },
        [&] {
          Totals totals;
          totals.sent = source_.sent();
          totals.received = collector_->received();
          return totals;
        },
        [&](bool on) { collector_->set_timing(on && settings_.latency); });
    drain([&](std::uint64_t now) {
      flush();
      return receive(now);
    });
    report.sent_in_all = source_.sent().frames;
    collector_->add_to(report);
    return report;
  }

 private:
  void start(std::uint16_t port) const {
    rte_eth_conf configuration{};
    must(rte_eth_dev_configure(port, 1, 1, &configuration), "configure");
    must(rte_eth_rx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr, pool_), "rx queue");
    must(rte_eth_tx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr), "tx queue");
    // The switch may be about to take note that the last generator has gone.
    int started = rte_eth_dev_start(port);
    for (int i = 0; i < 100 && started < 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      started = rte_eth_dev_start(port);
    }
    must(started, "start");
    rte_eth_promiscuous_enable(port);
  }

  // Until something has come through both ways: a link is up before the switch has taken notice of
  // it, and a learning switch has to know where the sink is.
  void say_hello() {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(settings_.wait);
    std::array<bool, 2> reached{};
    while (!reached[from_port] || !reached[to_port]) {
      greet(from_port, from, to);
      greet(to_port, to, from);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      for (const std::uint16_t port : {from_port, to_port}) {
        std::array<rte_mbuf*, most> frames;
        const auto count = rte_eth_rx_burst(port, 0, frames.data(), most);
        rte_pktmbuf_free_bulk(frames.data(), count);
        reached[port] = reached[port] || count > 0;
      }
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("nothing comes through: is there a switch between the ports?");
    }
  }

  void greet(std::uint16_t port, const MacAddress& own, const MacAddress& other) const {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) return;
    write(mbuf, make_head(own, other, 0, shortest_frame), {.flow = hello_flow});
    if (rte_eth_tx_burst(port, 0, &mbuf, 1) == 0) rte_pktmbuf_free(mbuf);
  }

  void write(rte_mbuf* mbuf, const FrameHead& head, const Stamp& stamp) const {
    auto* const bytes = rte_pktmbuf_mtod(mbuf, std::byte*);
    write_head(bytes, head, stamp);
    if (settings_.touch) write_payload(bytes, 0, head.size, head, stamp);
    mbuf->data_len = static_cast<std::uint16_t>(head.size);
    mbuf->pkt_len = head.size;
  }

  void send(std::uint64_t now) {
    if (!flush() || !pacer_.is_due(settings_.burst, now)) return;
    if (rte_pktmbuf_alloc_bulk(pool_, waiting_.data(), static_cast<unsigned>(settings_.burst)) != 0)
      return;
    const std::uint64_t time = settings_.rate > 0 ? pacer_.due(settings_.burst) : now;
    for (std::size_t i = 0; i < settings_.burst; ++i) {
      const FrameHead& head = source_.head();
      write(waiting_[i], head, source_.take(time));
    }
    first_ = 0;
    last_ = settings_.burst;
    pacer_.sent(settings_.burst);
    flush();
  }

  // True: all is with the switch.
  bool flush() {
    if (first_ < last_)
      first_ += rte_eth_tx_burst(from_port, 0, &waiting_[first_],
                                 static_cast<std::uint16_t>(last_ - first_));
    return first_ == last_;
  }

  bool receive(std::uint64_t now) {
    std::array<rte_mbuf*, most> frames;
    const auto count = rte_eth_rx_burst(to_port, 0, frames.data(), most);
    for (std::uint16_t i = 0; i < count; ++i) {
      const iovec part{rte_pktmbuf_mtod(frames[i], void*), frames[i]->data_len};
      collector_->see(std::span(&part, 1), part.iov_len, now);
    }
    rte_pktmbuf_free_bulk(frames.data(), count);
    const auto others = rte_eth_rx_burst(from_port, 0, frames.data(), most);
    rte_pktmbuf_free_bulk(frames.data(), others);
    return count > 0;
  }

  static Source make_source(std::size_t size) {
    const Source::Flow flow[] = {{0, from, to}};
    return Source(flow, std::span(&size, 1));
  }

  const Settings settings_;
  rte_mempool* pool_;
  Pacer pacer_;
  Source source_ = make_source(settings_.size);
  std::unique_ptr<Collector> collector_ = std::make_unique<Collector>(1, settings_.touch);
  std::array<rte_mbuf*, most> waiting_{};
  std::size_t first_ = 0, last_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  const int used = rte_eal_init(argc, argv);
  must(used, "DPDK");
  argv[used] = argv[0];
  Settings settings;
  CLI::App app("Generates frames on the first port of DPDK and receives them on the second.");
  app.add_option("--size", settings.size)->check(CLI::Range(shortest_frame, longest_datagram));
  app.add_option("--rate", settings.rate);
  app.add_option("--burst", settings.burst)->check(CLI::Range(std::size_t{1}, most));
  app.add_option("--duration", settings.seconds);
  app.add_option("--warm-up", settings.warm_up);
  app.add_option("--wait", settings.wait);
  app.add_flag("--touch", settings.touch);
  app.add_flag("--latency", settings.latency);
  CLI11_PARSE(app, argc - used, argv + used);
  Generator generator(settings);
  generator.wait_for_links();
  std::cout << to_json(generator.run()) << std::endl;
  // Without rte_eal_cleanup(): the process ends, and what it shared with it.
  std::_Exit(0);
} catch (const std::exception& error) {
  std::cerr << "dpdk_pktgen: " << error.what() << std::endl;
  std::_Exit(1);
}
