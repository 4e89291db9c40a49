// A worker with two guests on a switch, one of whom sends all the time: how often it allocates, and
// which system calls it makes, in many windows of so many frames. To be run as root in domain 0 of
// the embedded hypervisor (in_domains.sh).
//
// In no window does it allocate. The scheduler may take the sender away for a while, and then the
// worker sleeps, which is right. So the calls of a sleep are excused: io_uring_enter, which it
// sleeps in, and for each of these at most one read, of the event that woke it, and one write, for
// an event that came as it was about to sleep (EventHandle::unmask). No window has others, and
// there must be one without these too.
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "backend/switch/software_switch.hpp"
#include "backend/worker.hpp"
#include "guest.hpp"

using namespace ringback;
using namespace ringback::bench;

namespace {
thread_local bool is_the_worker = false;
std::atomic<std::uint64_t> allocations = 0;
void count() {
  if (is_the_worker) ++allocations;
}
}  // namespace

// Sanitizers have an allocator of their own, and say when it is asked. Otherwise glibc's is called
// by these (glibc manual, "Replacing malloc"): by C++'s new too, and by C's libraries.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void*,
                                                                           std::size_t),
                                                         void (*freed)(const volatile void*));
const bool counts =
    __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t) { count(); },
                                              [](const volatile void*) {}) != 0;
#else
extern "C" {
void* glibc_malloc(std::size_t size) __asm__("__libc_malloc");
void* glibc_calloc(std::size_t number, std::size_t size) __asm__("__libc_calloc");
void* glibc_realloc(void* memory, std::size_t size) __asm__("__libc_realloc");
void* glibc_memalign(std::size_t alignment, std::size_t size) __asm__("__libc_memalign");
void* malloc(std::size_t size) {
  count();
  return glibc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return glibc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return glibc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return glibc_memalign(alignment, size);
}
}
const bool counts = true;
#endif

namespace {

// ThreadSanitizer has a lock around each atomic, and yields where it is taken.
constexpr bool is_of_sanitizer([[maybe_unused]] std::uint64_t system_call) {
#ifdef __SANITIZE_THREAD__
  return system_call == SYS_sched_yield;
#else
  return false;
#endif
}

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

  // So far.
  std::uint64_t sleeps() const { return shared_->sleeps; }        // io_uring_enter
  std::uint64_t of_events() const { return shared_->of_events; }  // read, write
  std::uint64_t others() const { return shared_->others; }
  std::uint64_t last_other() const { return shared_->last_other; }  // its number
  std::uint64_t all() const { return sleeps() + of_events() + others(); }

 private:
  struct Shared {
    std::atomic<bool> go = false;
    std::atomic<bool> watching = false;
    std::atomic<std::uint64_t> sleeps = 0;
    std::atomic<std::uint64_t> of_events = 0;
    std::atomic<std::uint64_t> others = 0;
    std::atomic<std::uint64_t> last_other = 0;
    std::atomic<std::uint64_t>& of(std::uint64_t number) {
      if (number == SYS_io_uring_enter) return sleeps;
      return number == SYS_read || number == SYS_write ? of_events : others;
    }
  };

  int watch(pid_t thread) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!shared_->go) {
    }
    if (ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD) != 0) return 1;
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    for (int status = 0; waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);) {
      const int signal = WSTOPSIG(status);
      const bool at_call = signal == (SIGTRAP | 0x80);
      __ptrace_syscall_info info{};
      if (at_call) ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY && !is_of_sanitizer(info.entry.nr)) {
        auto& count = shared_->of(info.entry.nr);
        if (&count == &shared_->others) shared_->last_other = info.entry.nr;
        ++count;
      }
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
  constexpr int windows = 100;
  const hypervisor::Descriptor reports(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const auto worker = must(backend::Worker::start(reports.get(), hypervisor::Io::Kind::uring));
  // The most that a daemon polls: watched, a sleep is as long as one on Xen.
  worker->set_longest_poll(std::chrono::milliseconds(1));
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
    void* volatile memory = std::malloc(1);  // or the two would be left out
    std::free(memory);
    memory = operator new(1);
    operator delete(memory);
  });
  if (!counts || allocations != 2) return fmt::print("allocations are not counted\n"), 1;
  const SystemCalls calls(thread);
  worker->call([] { getppid(); });
  if (calls.others() == 0) return fmt::print("system calls are not counted\n"), 1;

  to.guest.send(1);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(100);
  // Whether so many frames have passed in time.
  const auto pass = [&](std::size_t frames) {
    std::size_t received = 0;
    while (received < frames && std::chrono::steady_clock::now() < end) {
      from.guest.send(32);
      from.guest.take_answers();
      received += to.guest.receive();
    }
    return received >= frames;
  };
  // The guests' memory is mapped, and lists get their size.
  if (!pass(Guest::page_count)) return fmt::print("no frames pass\n"), 1;

  const std::uint64_t sleeps_before = calls.sleeps();
  const std::uint64_t of_events_before = calls.of_events();
  int passed = 0;
  int quiet = 0;
  for (; passed < windows || quiet == 0; ++passed) {
    const std::uint64_t allocations_before = allocations;
    const std::uint64_t others_before = calls.others();
    const std::uint64_t all_before = calls.all();
    if (!pass(window)) break;
    const std::uint64_t allocated = allocations - allocations_before;
    const std::uint64_t others = calls.others() - others_before;
    if (allocated > 0) fmt::print("window {}: {} allocations\n", passed + 1, allocated);
    if (others > 0)
      fmt::print("window {}: {} system calls that are no sleep's, the last of number {}\n",
                 passed + 1, others, calls.last_other());
    if (allocated > 0 || others > 0) return 1;
    if (calls.all() == all_before) ++quiet;
  }
  const std::uint64_t sleeps = calls.sleeps() - sleeps_before;
  const std::uint64_t of_events = calls.of_events() - of_events_before;
  fmt::print(
      "{} windows of {} frames: no allocation in any, no system call in {}, {} io_uring_enter and"
      " {} of events in the others\n",
      passed, window, quiet, sleeps, of_events);
  // These may belong to a sleep before.
  return passed >= windows && quiet > 0 && of_events <= 2 * (sleeps + 1) ? 0 : 1;
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
