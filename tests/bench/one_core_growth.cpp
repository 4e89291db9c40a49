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
  for (auto _ : state) pass();
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
  for (auto _ : state) pass(from, to);
  state.SetItemsProcessed(static_cast<std::int64_t>(received));
}

// As many frames with few as with many: some tenths of a second.
void add() {
  constexpr std::int64_t frames = 1 << 21;
  const auto each = [](const char* name, auto* run, const char* what, std::int64_t number,
                       std::int64_t in_one) {
    benchmark::RegisterBenchmark(name, run)->ArgName(what)->Arg(number)->Iterations(frames /
                                                                                    in_one);
  };
  for (const std::int64_t number : {2, 8, 32, 128, 512}) {
    each("switch", vifs<Switched>, "vifs", number, number / 2 * burst);
    each("bound", vifs<Bound>, "vifs", number, number / 2 * burst);
  }
  for (const std::int64_t number : {10, 100, 1000, 10'000, 100'000}) {
    each("switch", addresses<Switched>, "addresses", number, burst);
    each("bound", addresses<Bound>, "addresses", number, burst);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  add();
  benchmark::RunSpecifiedBenchmarks();
}
