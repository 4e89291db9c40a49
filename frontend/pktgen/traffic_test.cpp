#include "frontend/pktgen/traffic.hpp"

#include <doctest/doctest.h>

#include <map>

namespace ringback::frontend {
namespace {

constexpr MacAddress from = {0, 1, 2, 3, 4, 5}, to = {0, 1, 2, 3, 4, 6};

std::vector<std::byte> next_frame(Source& source, std::uint64_t time) {
  const auto& head = source.head();
  std::vector<std::byte> frame(head.size);
  const auto stamp = source.take(time);
  write_head(frame.data(), head, stamp);
  write_payload(frame.data(), 0, frame.size(), head, stamp);
  return frame;
}

void see(Collector& collector, std::vector<std::byte>& frame, std::uint64_t now) {
  const iovec parts[] = {{frame.data(), 60}, {frame.data() + 60, frame.size() - 60}};
  collector.see(std::span(parts).first(frame.size() > 60 ? 2 : 1), frame.size(), now);
}

}  // namespace

TEST_CASE("What a source sends in any sizes and flows adds up at the collector") {
  const Source::Flow flows[] = {{5, from, to}, {6, from, to}, {7, from, to}};
  const std::size_t sizes[] = {60, 1514, 65535, 61};
  Source source(flows, sizes);
  const auto collector = std::make_unique<Collector>(8, true);
  collector->set_timing(true);
  std::size_t lost = 0;
  for (int i = 0; i < 1000; ++i) {
    auto frame = next_frame(source, 100);
    if (i % 10 == 5)
      ++lost;
    else
      see(*collector, frame, 350);
  }
  PktgenReport report;
  report.sent_in_all = source.sent().frames;
  collector->add_to(report);
  CHECK(report.sent_in_all == 1000);
  CHECK(report.lost() == lost);
  CHECK(report.corrupt == 0);
  CHECK(report.arrivals.duplicates == 0);
  CHECK(report.latency.highest() == 250);
  CHECK(report.latency.count() == collector->received().frames);
}

TEST_CASE("A frame that was changed on its way is corrupt and one of others is foreign") {
  const Source::Flow flows[] = {{0, from, to}};
  const std::size_t sizes[] = {100};
  Source source(flows, sizes);
  const auto collector = std::make_unique<Collector>(1, true);
  auto frame = next_frame(source, 0);
  frame[99] ^= std::byte{1};
  see(*collector, frame, 0);
  frame[12] = std::byte{0x86};
  see(*collector, frame, 0);
  PktgenReport report;
  collector->add_to(report);
  CHECK(report.corrupt == 1);
  CHECK(report.foreign == 1);
  CHECK(report.arrivals.frames == 1);
}

TEST_CASE("A hello and a flow that nobody sends here are not counted as received") {
  const Source::Flow flows[] = {{hello_flow, from, to}, {9, from, to}};
  const std::size_t sizes[] = {60};
  Source source(flows, sizes);
  const auto collector = std::make_unique<Collector>(2, false);
  for (int i = 0; i < 2; ++i) {
    auto frame = next_frame(source, 0);
    see(*collector, frame, 0);
  }
  PktgenReport report;
  collector->add_to(report);
  CHECK(collector->received().frames == 0);
  CHECK(report.foreign == 1);
}

}  // namespace ringback::frontend
