#include "backend/port/tap_frames.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "hypervisor/simulated.hpp"
#include "net/vnet_header.hpp"

namespace ringback::backend {
namespace {

constexpr int nothing = -EAGAIN;

// A tap that has for each read what it was told to: so many bytes, or an error.
class ScriptedTap final : public hypervisor::Io {
 public:
  std::deque<int> results;
  std::vector<std::size_t> asked;

  Result<void> watch(int, Trigger, std::function<void()>) override { return {}; }
  void again(int) override {}
  void unwatch(int) override {}
  Result<void> wait(bool) override { return {}; }
  void read(int, std::span<hypervisor::Transfer> transfers) override {
    asked.push_back(transfers.size());
    for (auto& transfer : transfers) {
      transfer.result = results.empty() ? nothing : results.front();
      if (!results.empty()) results.pop_front();
      if (transfer.result > 0) std::memset(transfer.parts[0].iov_base, 0, sizeof(net::VnetHeader));
    }
  }
  void write(int, std::span<hypervisor::Transfer>) override {}
  const char* name() const override { return "scripted"; }
};

struct Tap {
  hypervisor::Simulated world;
  std::unique_ptr<hypervisor::GrantUser> grants = world.grant_user(0);
  ScriptedTap io;
  Copier copier{*grants, io};
  TapFrames frames{0};
  TapBurst burst;

  // The sizes of the frames that one read found.
  std::vector<std::uint32_t> read(std::deque<int> results) {
    io.results = std::move(results);
    frames.read(copier, burst);
    std::vector<std::uint32_t> sizes;
    for (std::size_t i = 0; i < burst.count; ++i) sizes.push_back(burst.list[i]->size);
    return sizes;
  }
};

constexpr int header = sizeof(net::VnetHeader);

}  // namespace

TEST_CASE("a tap is asked for as many frames as have come lately") {
  Tap tap;
  CHECK(tap.read({header + 60}).size() == 1);
  CHECK(tap.read({header + 60, header + 60}).size() == 2);
  CHECK(tap.burst.next == Read::now);
  CHECK(tap.read({header + 60, header + 60, header + 60, nothing}).size() == 3);
  CHECK(tap.burst.next == Read::when_readable);
  CHECK(tap.read({}).empty());
  CHECK(tap.read({}).empty());
  CHECK(tap.io.asked == std::vector<std::size_t>{1, 2, 4, 3, 1});
}

TEST_CASE("a frame that came between two reads of a tap is kept") {
  Tap tap;
  tap.read({header + 60});
  CHECK(tap.read({nothing, header + 61}) == std::vector<std::uint32_t>{61});
  CHECK(tap.burst.next == Read::when_readable);
}

TEST_CASE("what a tap gives that is no frame is left out") {
  Tap tap;
  CHECK(tap.read({3}).empty());
  CHECK(tap.read({header + 5}).empty());
  CHECK(tap.burst.next == Read::when_readable);
}

TEST_CASE("a tap that somebody removed is read no more") {
  Tap tap;
  CHECK(tap.read({-EBADFD}).empty());
  CHECK(tap.burst.next == Read::never);
}

}  // namespace ringback::backend
