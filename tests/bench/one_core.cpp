// Two guests and the switch between them, in turn on one core: no cache line travels, no thread is
// woken, so the figures hold on a machine that is shared. To be run in domain 0 of the embedded
// hypervisor (one_core.sh).
#include <benchmark/benchmark.h>

#include "bound.hpp"
#include "guest.hpp"
#include "switched.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {

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
  Forwarder between({&from, &to});
  between.know(2);
  to.send(1);  // so that it is known where it is
  between.forward();
  between.forward();

  const std::size_t touched_size = touched ? size : 0;
  std::size_t received = 0;
  for (auto _ : state) {
    if (touched) from.write_payload(burst, touched_size);
    from.send(burst);
    between.forward();
    from.take_answers();
    received += to.receive(touched_size);
  }
  benchmark::DoNotOptimize(to.sum);
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
