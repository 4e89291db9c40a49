// A backend's process that is killed while it answers: what it leaves behind after each single
// instruction, and what the next backend makes of that.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ring/netif.hpp"

using namespace ringback::ring;

namespace {

// The indices wrap on the way. There is room for each answer to be given twice, were that done.
constexpr Index start = 0xfffffffd;
constexpr Index posted = 24;
constexpr Index answers[] = {5, 3};
constexpr Index answered = 8;

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

// Runs in a process that is stepped through from here on, to its end.
void let_step() {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(2);
  raise(SIGSTOP);
}
template <class Kind>
void give_answers(Memory<Kind>& memory, bool keeps) {
  auto ring = Kind::Back::attach(memory.page, keeps ? &memory.kept : nullptr);
  if (!ring || ring->unconsumed() != posted) _exit(1);
  std::array<Response<Kind>, answered> responses;
  for (Index i = 0; i < answered; ++i) responses[i] = Kind::response(i);
  ring->consume(answered);
  let_step();
  std::span<const Response<Kind>> rest = responses;
  for (const Index count : answers) {
    ring->answer(rest.first(count));
    rest = rest.subspan(count);
  }
}
template <class Kind>
void attach(Memory<Kind>& memory, bool keeps) {
  let_step();
  if (!Kind::Back::attach(memory.page, keeps ? &memory.kept : nullptr)) _exit(1);
}

// How many are answered after the next backend has attached; nothing if one request is neither
// answered as it was to be nor there as it was posted.
template <class Kind>
std::optional<Index> taken_over(Memory<Kind>& left, bool keeps) {
  const auto next = Kind::Back::attach(left.page, keeps ? &left.kept : nullptr);
  const typename Kind::Back::Shared shared(left.page);
  const Index done = shared.rsp_prod() - start;
  if (!next || done > answered || next->unconsumed() != posted - done) return std::nullopt;
  for (Index i = 0; i < done; ++i)
    if (!same(shared.template copy_from<Response<Kind>>(start + i), Kind::response(i)))
      return std::nullopt;
  for (Index i = done; i < posted; ++i)
    if (!same(next->request(i - done), Kind::request(i))) return std::nullopt;
  return done;
}

// Memory that processes share, with a ring whose requests nobody has looked at.
template <class Kind>
class SharedMemory {
 public:
  SharedMemory() {
    void* const mapped = mmap(nullptr, sizeof(Memory<Kind>), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    memory_ = static_cast<Memory<Kind>*>(mapped);
    typename Kind::Back::Shared ring(memory_->page);
    for (Index i = 0; i < posted; ++i) ring.copy_to(start + i, Kind::request(i));
    ring.publish_req_prod(start + posted);
    ring.publish_rsp_prod(start);
  }
  ~SharedMemory() { munmap(memory_, sizeof(Memory<Kind>)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  Memory<Kind>& operator*() { return *memory_; }

 private:
  Memory<Kind>* memory_;
};

struct Outcome {
  int instructions = 0;
  int harmed = 0;
};
// Kills a process at each instruction of `what`. states: gets what each of these kills leaves.
template <class Kind>
Outcome kill_at_each_instruction(SharedMemory<Kind>& memory, bool keeps,
                                 void (*what)(Memory<Kind>&, bool),
                                 std::vector<Memory<Kind>>* states = nullptr) {
  const pid_t backend = fork();
  if (backend == 0) {
    what(*memory, keeps);
    _exit(0);
  }
  REQUIRE(backend > 0);
  Outcome outcome;
  const auto left = std::make_unique<Memory<Kind>>();
  int status = 0;
  while (waitpid(backend, &status, 0) == backend && WIFSTOPPED(status)) {
    *left = *memory;
    if (states != nullptr) states->push_back(*left);
    ++outcome.instructions;
    outcome.harmed += !taken_over(*left, keeps);
    ptrace(PTRACE_SINGLESTEP, backend, nullptr, nullptr);
  }
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  return outcome;
}

template <class Kind>
Outcome killed_while_it_answers(bool keeps) {
  SharedMemory<Kind> memory;
  const auto outcome = kill_at_each_instruction<Kind>(memory, keeps, give_answers<Kind>);
  CHECK(taken_over(*memory, keeps) == answered);
  return outcome;
}

// The next one is killed too, while it keeps a promise: of what was left, at each change of what
// there is to be kept.
template <class Kind>
Outcome killed_while_it_takes_over() {
  std::vector<Memory<Kind>> states;
  {
    SharedMemory<Kind> memory;
    kill_at_each_instruction<Kind>(memory, true, give_answers<Kind>, &states);
  }
  Outcome sum;
  std::optional<Index> before;
  for (const auto& state : states) {
    auto seen = std::make_unique<Memory<Kind>>(state);
    const auto promised = taken_over(*seen, true);
    if (std::exchange(before, promised) == promised) continue;
    SharedMemory<Kind> memory;
    *memory = state;
    const auto outcome = kill_at_each_instruction<Kind>(memory, true, attach<Kind>);
    CHECK(taken_over(*memory, true) == promised);
    sum.instructions += outcome.instructions;
    sum.harmed += outcome.harmed;
  }
  return sum;
}

}  // namespace

TEST_CASE("a backend may be killed at any instruction of an answer") {
  for (const Outcome outcome :
       {killed_while_it_answers<Rx>(true), killed_while_it_answers<Tx>(true)}) {
    CHECK(outcome.instructions > 100);
    CHECK(outcome.harmed == 0);
  }
}

TEST_CASE("a backend may be killed at any instruction of keeping what another one promised") {
  for (const Outcome outcome :
       {killed_while_it_takes_over<Rx>(), killed_while_it_takes_over<Tx>()}) {
    CHECK(outcome.instructions > 100);
    CHECK(outcome.harmed == 0);
  }
}

TEST_CASE("without memory that outlives it a kill makes requests of responses") {
  CHECK(killed_while_it_answers<Rx>(false).harmed > 0);
  CHECK(killed_while_it_answers<Tx>(false).harmed > 0);
}
