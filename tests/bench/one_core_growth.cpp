// How the cost of a frame grows with the number of vifs, and of addresses behind two of them: the
// switch beside the bound, on one core (one_core.cpp). What both have more of is what the memory
// takes: each vif has 512 pages, of which a frame needs a line of two. To be run in domain 0 of the
// embedded hypervisor (in_domains.sh).
#include <benchmark/benchmark.h>

#include "bound.hpp"
#include "guest.hpp"
#include "switched.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {

constexpr std::size_t size = 60;
constexpr std::uint32_t burst = 32;
// As many frames with few as with many; some tenths of a second.
constexpr int iterations = 16;
constexpr std::uint32_t frames = 1 << 17;  // in each

// Every second one sends to the one behind it, a burst each in turn.
template <class Forwarder>
void vifs(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  std::vector<std::unique_ptr<Guest>> guests;
  std::vector<const Guest*> all;
  for (std::uint32_t i = 0; i < count; ++i) {
    guests.push_back(std::make_unique<Guest>(static_cast<hypervisor::DomainId>(1 + i % 2), i));
    all.push_back(guests.back().get());
    guests.back()->prepare(size, mac_of(i ^ 1));
  }
  Forwarder between(all);
  between.know(count);
  for (std::uint32_t i = 1; i < count; i += 2)
    guests[i]->send(1);  // so that it is known where it is
  between.forward();
  between.forward();

  std::size_t received = 0;
  const auto pass = [&] {
    for (std::uint32_t i = 0; i < count; i += 2) guests[i]->send(burst);
    between.forward();
    for (std::uint32_t i = 0; i < count; i += 2) {
      guests[i]->take_answers();
      received += guests[i + 1]->receive();
    }
  };
  // Once over all pages, so that they are there.
  for (std::uint32_t sent = 0; sent <= Guest::page_count; sent += burst) pass();

  received = 0;
  for (auto _ : state)
    for (std::uint32_t sent = 0; sent < frames; sent += count / 2 * burst) pass();
  state.SetItemsProcessed(static_cast<std::int64_t>(received));
}

// Half of them are behind each of two vifs, and each frame has the next.
template <class Forwarder>
void addresses(benchmark::State& state) {
  const auto each = static_cast<std::uint32_t>(state.range(0) / 2);
  Guest from(1, 0);
  Guest to(2, each);
  from.prepare(size, each, each);
  to.prepare(size, 0, each);
  Forwarder between({&from, &to});
  between.know(2 * each);
  std::size_t received = 0;
  const auto pass = [&](Guest& sender, Guest& receiver) {
    sender.send(burst);
    between.forward();
    sender.take_answers();
    received += receiver.receive();
  };
  for (std::uint32_t sent = 0; sent < each; sent += burst) pass(to, from);
  for (std::uint32_t sent = 0; sent < each; sent += burst) pass(from, to);

  received = 0;
  for (auto _ : state)
    for (std::uint32_t sent = 0; sent < frames; sent += burst) pass(from, to);
  state.SetItemsProcessed(static_cast<std::int64_t>(received));
}

void numbers_of_vifs(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("vifs")->Iterations(iterations);
  for (const int number : {2, 8, 32, 128, 512}) benchmark->Arg(number);
}
void numbers_of_addresses(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("addresses")->Iterations(iterations);
  for (const int number : {10, 100, 1000, 10'000, 100'000}) benchmark->Arg(number);
}

BENCHMARK(vifs<Switched>)->Name("switch")->Apply(numbers_of_vifs);
BENCHMARK(vifs<Bound>)->Name("bound")->Apply(numbers_of_vifs);
BENCHMARK(addresses<Switched>)->Name("switch")->Apply(numbers_of_addresses);
BENCHMARK(addresses<Bound>)->Name("bound")->Apply(numbers_of_addresses);

}  // namespace

BENCHMARK_MAIN();
