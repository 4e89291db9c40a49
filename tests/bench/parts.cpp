// What the parts of the data path cost, one by one. To be run in domain 0 of the embedded
// hypervisor, for the grant copies (parts.sh).
#include <benchmark/benchmark.h>

#include <numeric>
#include <random>

#include "backend/switch/mac_table.hpp"
#include "guest.hpp"
#include "net/bytes.hpp"
#include "net/checksum.hpp"
#include "net/coalesce.hpp"
#include "net/headers.hpp"
#include "net/toeplitz.hpp"
#include "ring/back_ring.hpp"
#include "ring/rx_plan.hpp"
#include "ring/tx_chain.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

// Of a stream over IPv4, with its checksums.
std::vector<std::byte> tcp_segment(std::uint32_t number) {
  constexpr std::size_t network = 14, transport = 34, payload = 54, size = 1514;
  std::vector<std::byte> frame(size);
  net::store16(frame, 12, 0x0800);
  net::store16(frame, network, 0x4500);
  net::store16(frame, network + 2, size - network);
  net::store16(frame, network + 6, 0x4000);
  net::store16(frame, network + 8, 64 << 8 | 6);
  net::store16(frame, network + 10,
               static_cast<std::uint16_t>(~net::sum(std::span(frame).subspan(network, 20))));
  net::store32(frame, transport + 4, number * (size - payload));
  net::store16(frame, transport + 12, 0x5010);
  net::store16(frame, transport + 16,
               net::pseudo_header_sum(frame, *net::parse_headers(frame, size), size - transport));
  net::finish_checksum(frame);
  return frame;
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
  const auto frame = tcp_segment(0);
  while (state.KeepRunning()) benchmark::DoNotOptimize(net::parse_headers(frame, frame.size()));
}
BENCHMARK(headers);

// Which of a receiver's queues a frame's flow is on: of two addresses and two ports.
void toeplitz(benchmark::State& state) {
  const std::vector<std::byte> input(static_cast<std::size_t>(state.range(0)), std::byte{7});
  const net::Toeplitz hash(net::Toeplitz::Key{1, 2, 3});
  while (state.KeepRunning()) benchmark::DoNotOptimize(hash(input));
}
BENCHMARK(toeplitz)->Arg(12)->Arg(36);

// A burst of 32 full segments of one flow becomes a super-frame, or stays as it is because each is
// of another flow.
void coalesce(benchmark::State& state) {
  const bool one_flow = state.range(0) == 1;  // else 32
  std::vector<std::vector<std::byte>> frames;
  for (std::uint32_t i = 0; i < 32; ++i) {
    auto& frame = frames.emplace_back(tcp_segment(one_flow ? i : 0));
    if (!one_flow) net::store16(frame, 34, static_cast<std::uint16_t>(i));
  }
  std::vector<std::byte> out(net::Coalescer::largest_frame);
  std::size_t runs = 0;
  while (state.KeepRunning()) {
    net::Coalescer coalescer;
    for (auto& frame : frames) coalescer.add(frame);
    runs = coalescer.runs().size();
    if (one_flow) coalescer.write(coalescer.runs().front(), out);
    benchmark::DoNotOptimize(out.data());
  }
  if (runs != (one_flow ? 1 : 32)) state.SkipWithError("they were not put together as they should");
  state.SetItemsProcessed(state.iterations() * 32);
  count_bytes(state, 32 * frames.front().size());
}
BENCHMARK(coalesce)->Arg(1)->Arg(32);

}  // namespace

BENCHMARK_MAIN();
