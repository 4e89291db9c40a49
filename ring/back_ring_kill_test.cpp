// A backend's process that is killed while it answers: what it leaves behind after each single
// instruction, and what the next backend makes of that.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "ring/netif.hpp"

using namespace ringback::ring;

namespace {

constexpr Index posted = 8;
constexpr Index answered = 5;

struct Rx {
  using Back = RxBackRing;
  static RxRequest request(Index i) {
    return {.id = static_cast<std::uint16_t>(i), .pad = 0, .gref = 1000 + i};
  }
  static RxResponse response(Index i) {
    return {.id = static_cast<std::uint16_t>(i),
            .offset = 0,
            .flags = 0,
            .status = static_cast<std::int16_t>(60 + i)};
  }
};
struct Tx {
  using Back = TxBackRing;
  static TxRequest request(Index i) {
    return {.gref = 1000 + i,
            .offset = 0,
            .flags = 0,
            .id = static_cast<std::uint16_t>(i),
            .size = static_cast<std::uint16_t>(60 + i)};
  }
  static TxResponse response(Index i) {
    return {.id = static_cast<std::uint16_t>(i), .status = NETIF_RSP_OKAY};
  }
};

template <class Kind>
using Request = decltype(Kind::request(0));
template <class Kind>
using Response = decltype(Kind::response(0));

template <class Kind>
struct Memory {
  alignas(page_size) std::array<std::byte, page_size> page;
  typename Kind::Back::Kept kept;
};

template <class Message>
bool same(const Message& a, const Message& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// Takes and answers some of the requests, as soon as it is told to go on.
template <class Kind>
[[noreturn]] void serve(Memory<Kind>& memory, bool keeps) {
  auto ring = Kind::Back::attach(memory.page, keeps ? &memory.kept : nullptr);
  if (!ring || ring->unconsumed() != posted) _exit(1);
  std::array<Response<Kind>, answered> responses;
  for (Index i = 0; i < answered; ++i) responses[i] = Kind::response(i);
  ring->consume(answered);
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  raise(SIGSTOP);
  ring->answer(responses);
  _exit(0);
}

// Each request is answered as it was to be, or there as it was posted.
template <class Kind>
bool none_is_harmed(Memory<Kind>& left, bool keeps) {
  const auto next = Kind::Back::attach(left.page, keeps ? &left.kept : nullptr);
  const typename Kind::Back::Shared shared(left.page);
  const Index done = shared.rsp_prod();
  if (!next || done > answered || next->unconsumed() != posted - done) return false;
  for (Index i = 0; i < done; ++i)
    if (!same(shared.template copy_from<Response<Kind>>(i), Kind::response(i))) return false;
  for (Index i = done; i < posted; ++i)
    if (!same(next->request(i - done), Kind::request(i))) return false;
  return true;
}

struct Outcome {
  int instructions = 0;
  int harmed = 0;
};
template <class Kind>
Outcome kill_at_each_instruction(bool keeps) {
  void* const mapped = mmap(nullptr, sizeof(Memory<Kind>), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  auto& memory = *static_cast<Memory<Kind>*>(mapped);
  auto front = FrontRing<Request<Kind>, Response<Kind>>::initialise(memory.page);
  for (Index i = 0; i < posted; ++i) front.put(Kind::request(i));
  front.publish();

  const pid_t backend = fork();
  if (backend == 0) serve<Kind>(memory, keeps);
  REQUIRE(backend > 0);
  Outcome outcome;
  const auto left = std::make_unique<Memory<Kind>>();
  int status = 0;
  while (waitpid(backend, &status, 0) == backend && WIFSTOPPED(status)) {
    *left = memory;
    ++outcome.instructions;
    outcome.harmed += !none_is_harmed<Kind>(*left, keeps);
    ptrace(PTRACE_SINGLESTEP, backend, nullptr, nullptr);
  }
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(front.unconsumed() == answered);
  munmap(mapped, sizeof(Memory<Kind>));
  return outcome;
}

}  // namespace

TEST_CASE("a backend may be killed at any instruction of an answer") {
  for (const Outcome outcome :
       {kill_at_each_instruction<Rx>(true), kill_at_each_instruction<Tx>(true)}) {
    CHECK(outcome.instructions > 100);
    CHECK(outcome.harmed == 0);
  }
}

TEST_CASE("without memory that outlives it a kill makes requests of responses") {
  CHECK(kill_at_each_instruction<Rx>(false).harmed > 0);
  CHECK(kill_at_each_instruction<Tx>(false).harmed > 0);
}
