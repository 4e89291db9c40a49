// What the parts of the data path cost, one by one. To be run in domain 0 of the embedded
// hypervisor (in_domains.sh), for the grant copies.
#include <benchmark/benchmark.h>

#include <numeric>
#include <random>

#include "backend/switch/mac_table.hpp"
#include "guest.hpp"
#include "net/checksum.hpp"
#include "net/headers.hpp"
#include "ring/back_ring.hpp"
#include "ring/rx_plan.hpp"
#include "ring/tx_chain.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

// So many requests go over a ring, and their answers back.
void ring_round_trip(benchmark::State& state) {
  const auto burst = static_cast<ring::Index>(state.range(0));
  alignas(4096) static std::array<std::byte, ring::page_size> page;
  auto front = ring::TxFrontRing::initialise(page);
  auto back = *ring::TxBackRing::attach(page);
  std::array<ring::TxRequest, 64> requests;
  while (state.KeepRunning()) {
    for (ring::Index i = 0; i < burst; ++i)
      front.put(
          {.gref = i, .offset = 0, .flags = 0, .id = static_cast<std::uint16_t>(i), .size = 60});
    benchmark::DoNotOptimize(front.publish());
    const ring::Index ready = back.unconsumed().value_or(0);
    back.requests({requests.data(), ready});
    back.consume(ready);
    for (ring::Index i = 0; i < ready; ++i) back.respond({.id = requests[i].id, .status = 0});
    benchmark::DoNotOptimize(back.publish());
    front.consume(front.unconsumed().value_or(0));
  }
  state.SetItemsProcessed(state.iterations() * burst);
}
BENCHMARK(ring_round_trip)->Arg(1)->Arg(32);

// A frame's requests are checked and become a chain.
void chain(benchmark::State& state) {
  const auto slots = static_cast<std::size_t>(state.range(0));
  std::vector<ring::TxRequest> requests(slots);
  for (std::size_t i = 0; i < slots; ++i) {
    requests[i].flags = i + 1 < slots ? NETTXF_more_data : 0;
    requests[i].size = static_cast<std::uint16_t>(i == 0 ? 1000 * slots : 1000);
  }
  ring::TxChain read;
  while (state.KeepRunning()) {
    ring::read_tx_chain(requests, read);
    benchmark::DoNotOptimize(read);
  }
  if (read.verdict != ring::TxVerdict::frame) state.SkipWithError("the chain is not good");
}
BENCHMARK(chain)->Arg(1)->Arg(17);

// Where a frame's bytes go in the buffers that a guest has posted.
void plan(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const net::Offload offload{.gso = size > 4096 ? net::Gso::tcpv4 : net::Gso::none,
                             .gso_size = 1448};
  std::array<ring::RxRequest, ring::max_rx_slots> requests{};
  const ring::Index slots = ring::rx_slots(size, offload);
  while (state.KeepRunning()) {
    const auto planned = ring::plan_rx(size, offload, {requests.data(), slots});
    benchmark::DoNotOptimize(&planned);
  }
}
BENCHMARK(plan)->Arg(60)->Arg(65535);

// Which port an address is behind, with so many of them in use.
void look_up(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  backend::MacTable table(262144, 1);
  std::vector<std::uint64_t> macs(count);
  std::iota(macs.begin(), macs.end(), 0x00163e000000);
  for (const auto mac : macs) table.learn(0, mac, 1, 1);
  std::ranges::shuffle(macs, std::minstd_rand(1));
  std::size_t next = 0;
  std::size_t known = 0;
  while (state.KeepRunning()) {
    known += table.find(0, macs[next], 1).has_value();
    if (++next == count) next = 0;
  }
  state.counters["known"] = static_cast<double>(known) /
                            static_cast<double>(std::max<std::int64_t>(state.iterations(), 1));
}
BENCHMARK(look_up)->RangeMultiplier(10)->Range(10, 100000);

// A batch of 32 grant copies of so many bytes from one guest's pages to another's.
void copy(benchmark::State& state) {
  const auto size = static_cast<std::uint16_t>(state.range(0));
  Guest from(1);
  Guest to(2);
  const auto grants = must(hypervisor::open_grant_user());
  std::array<hypervisor::Copy, 32> batch;
  for (std::size_t i = 0; i < batch.size(); ++i)
    hypervisor::set_copy(batch[i], hypervisor::GrantEnd{1, from.tx_pages.refs()[i], 0},
                         hypervisor::GrantEnd{2, to.rx_pages.refs()[i], 0}, size);
  while (state.KeepRunning()) must(grants->copy(batch));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch.size()));
  count_bytes(state, batch.size() * size);
}
BENCHMARK(copy)->Arg(60)->Arg(1514)->Arg(4096);

void checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{7});
  while (state.KeepRunning()) benchmark::DoNotOptimize(net::sum(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK(checksum)->Arg(60)->Arg(1514)->Arg(65535);

// Where the headers of a TCP segment are.
void headers(benchmark::State& state) {
  std::vector<std::byte> frame(1514, std::byte{0});
  frame[12] = std::byte{8};
  frame[14] = std::byte{0x45};
  frame[16] = std::byte{5};
  frame[17] = std::byte{0xdc};
  frame[23] = std::byte{6};
  frame[46] = std::byte{0x50};
  while (state.KeepRunning()) benchmark::DoNotOptimize(net::parse_headers(frame, frame.size()));
}
BENCHMARK(headers);

}  // namespace

BENCHMARK_MAIN();
