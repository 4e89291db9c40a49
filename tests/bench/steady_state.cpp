// A worker with two guests on a switch, one of whom sends all the time: how many system calls it
// makes, and how often it allocates, while it is never without work. The scheduler may take the
// sender away for a while, and then the worker sleeps, which is right; so what counts is the
// quietest of many windows. To be run as root in domain 0 of the embedded hypervisor
// (in_domains.sh).
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <new>

#include "backend/switch/software_switch.hpp"
#include "backend/worker.hpp"
#include "guest.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {

thread_local bool is_the_worker = false;
std::atomic<std::uint64_t> allocations = 0;

void* allocate(std::size_t size, std::size_t alignment) {
  if (is_the_worker) ++allocations;
  void* const memory =
      std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
// Not inline: g++ would take the free() in a caller for another function than new's.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace {

// Counts a thread's system calls, as a debugger sees them, in a process of its own.
class SystemCalls {
 public:
  explicit SystemCalls(pid_t thread)
      : shared_(static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    child_ = fork();
    if (child_ == 0) _exit(watch(thread));
    prctl(PR_SET_PTRACER, child_);
    shared_->go = true;
    while (!shared_->watching)
      if (waitpid(child_, nullptr, WNOHANG) != 0)
        throw std::runtime_error("can't watch a thread's system calls (is this run as root?)");
  }
  ~SystemCalls() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    munmap(shared_, sizeof(Shared));
  }
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;

  std::uint64_t count() const { return shared_->count; }

 private:
  struct Shared {
    std::atomic<bool> go = false;
    std::atomic<bool> watching = false;
    std::atomic<std::uint64_t> count = 0;
  };

  int watch(pid_t thread) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!shared_->go) {
    }
    if (ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD) != 0) return 1;
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    bool inside = false;
    for (int status = 0; waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);) {
      const int signal = WSTOPSIG(status);
      const bool at_call = signal == (SIGTRAP | 0x80);
      if (at_call) inside = !inside;
      if (at_call && inside) ++shared_->count;
      const int passed_on = at_call || status >> 16 != 0 ? 0 : signal;
      shared_->watching = true;
      ptrace(PTRACE_SYSCALL, thread, nullptr, passed_on);
    }
    return 0;
  }

  Shared* const shared_;
  pid_t child_;
};

// On a switch, by a worker's queue.
struct Member {
  Member(backend::Worker& by, std::shared_ptr<backend::SoftwareSwitch> network,
         hypervisor::DomainId id, const char* name)
      : guest(id), worker(by), port(std::move(network), name) {
    queue = must(worker.connect(
        {.guest = id,
         .index = 0,
         .keys = {guest.rings.refs()[0], guest.rings.refs()[1], guest.channel, guest.channel},
         .abilities = {true, true, true, true, true},
         .kept = &kept},
        port));
    port.connect({&queue->sink()});
  }
  ~Member() {
    port.connect({});
    worker.disconnect(queue);
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  Guest guest;
  backend::Worker& worker;
  backend::SwitchPort port;
  backend::Queue::Kept kept{};
  backend::Queue* queue = nullptr;
};

int run() {
  constexpr std::size_t window = 10000;  // frames
  const hypervisor::Descriptor reports(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const auto worker = must(backend::Worker::start(reports.get(), hypervisor::Io::Kind::uring));
  worker->set_longest_poll(std::chrono::microseconds(50));
  const auto network =
      std::make_shared<backend::SoftwareSwitch>("steady", [&] { worker->call({}); });
  Member from(*worker, network, 1, "vif1.0");
  Member to(*worker, network, 2, "vif2.0");
  from.guest.prepare(60, mac_of(2));
  to.guest.prepare(60, mac_of(1));

  pid_t thread = 0;
  worker->call([&] {
    thread = gettid();
    is_the_worker = true;
    std::free(allocate(1, 16));
  });
  if (allocations != 1) return fmt::print("allocations are not counted\n"), 1;
  const SystemCalls calls(thread);
  worker->call([] { getppid(); });
  if (calls.count() == 0) return fmt::print("system calls are not counted\n"), 1;

  to.guest.send(1);
  std::uint64_t fewest = UINT64_MAX;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < end) {
    const std::uint64_t calls_before = calls.count();
    const std::uint64_t allocations_before = allocations;
    std::size_t received = 0;
    while (received < window && std::chrono::steady_clock::now() < end) {
      from.guest.send(32);
      from.guest.take_answers();
      received += to.guest.receive();
    }
    if (received < window) break;
    const std::uint64_t asked = calls.count() - calls_before + allocations - allocations_before;
    fewest = std::min(fewest, asked);
    if (asked > 0) continue;
    fmt::print("no system call and no allocation while {} frames passed\n", window);
    return 0;
  }
  if (fewest == UINT64_MAX) return fmt::print("{} frames did not pass\n", window), 1;
  fmt::print("at least {} system calls and allocations while {} frames passed\n", fewest, window);
  return 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& failed) {
    fmt::print(stderr, "steady_state: {}\n", failed.what());
    return 1;
  }
}
