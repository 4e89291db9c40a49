// Two guests and the switch between them, in turn on one core: no cache line travels, no thread is
// woken, so the figures hold on a machine that is shared. To be run in domain 0 of the embedded
// hypervisor (one_core.sh).
#include <benchmark/benchmark.h>

#include "backend/queue.hpp"
#include "backend/switch/software_switch.hpp"
#include "bound.hpp"
#include "guest.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {

// As ringbackd has it: validation, learning, counters.
class Switched {
 public:
  Switched(const Guest& from, const Guest& to) : from_(connect(from, 0)), to_(connect(to, 1)) {}
  ~Switched() {
    for (auto& port : ports_) port->connect({});
  }
  void forward() {
    from_->serve(copier_);
    to_->serve(copier_);
  }

 private:
  std::unique_ptr<backend::Queue> connect(const Guest& guest, std::size_t place) {
    ports_[place] = std::make_unique<backend::SwitchPort>(switch_, "vif");
    auto queue = must(backend::Queue::connect(
        {.guest = guest.domain,
         .index = 0,
         .keys = {guest.rings.refs()[0], guest.rings.refs()[1], guest.channel, guest.channel},
         .abilities = {true, true, true, true, true},
         .kept = &kept_[place]},
        *ports_[place], *events_, *grants_, [] {}));
    ports_[place]->connect({&queue->sink()});
    return queue;
  }

  std::unique_ptr<hypervisor::EventChannels> events_ = must(hypervisor::open_event_channels());
  std::unique_ptr<hypervisor::GrantUser> grants_ = must(hypervisor::open_grant_user());
  std::unique_ptr<hypervisor::Io> io_ = must(hypervisor::Io::open());
  backend::Copier copier_{*grants_, *io_};
  std::shared_ptr<backend::SoftwareSwitch> switch_ =
      std::make_shared<backend::SoftwareSwitch>("bench", [] {});
  std::array<std::unique_ptr<backend::SwitchPort>, 2> ports_;
  std::array<backend::Queue::Kept, 2> kept_{};
  std::unique_ptr<backend::Queue> from_;
  std::unique_ptr<backend::Queue> to_;
};

// size, frames in a burst, whether the payload is written and read.
template <class Forwarder>
void one_core(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto burst = static_cast<std::size_t>(state.range(1));
  const bool touched = state.range(2) != 0;
  Guest from(1);
  Guest to(2);
  from.prepare(size, mac_of(2));
  to.prepare(60, mac_of(1));
  Forwarder between(from, to);
  to.send(1);  // so that it is known where it is
  between.forward();
  between.forward();

  std::size_t received = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    if (touched) from.write_payload(burst);
    from.send(burst);
    between.forward();
    from.take_answers();
    if (touched) sum += to.read_payload();
    received += to.receive();
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(received));
  state.SetBytesProcessed(static_cast<std::int64_t>(received * size));
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"size", "burst", "touched"});
  for (const int burst : {1, 32}) benchmark->Args({60, burst, 0});
  for (const int touched : {0, 1}) benchmark->Args({1514, 32, touched});
  for (const int touched : {0, 1}) benchmark->Args({65535, 4, touched});
}

BENCHMARK(one_core<Switched>)->Apply(sizes)->Name("switch");
BENCHMARK(one_core<Bound>)->Apply(sizes)->Name("bound");

}  // namespace

BENCHMARK_MAIN();
