// In a domain of the embedded hypervisor: a worker has its own event channels and grants.
#include "backend/worker.hpp"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <thread>

namespace ringback::backend {
namespace {

using std::chrono::milliseconds;

// Has work without end, once its descriptor was readable.
class Busy : public Task {
 public:
  bool serve(Copier&) override {
    ++served;
    return told;
  }
  bool arm() override {
    armed = true;
    return false;
  }
  void readable() override { told = true; }
  bool waits_to_read() const override { return false; }
  int fd() const override { return fd_.get(); }
  std::optional<Fault> fault() const override { return std::nullopt; }

  void give_work() const { REQUIRE(eventfd_write(fd_.get(), 1) == 0); }

  std::atomic<int> served = 0;
  std::atomic<bool> armed = false;
  std::atomic<bool> told = false;

 private:
  hypervisor::Descriptor fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

constexpr auto no_end = std::chrono::hours(1);
constexpr auto a_moment = milliseconds(50);

struct Fixture {
  Fixture() {
    auto started = Worker::start(reports.get(), hypervisor::Io::Kind::best);
    REQUIRE(started);
    worker = std::move(*started);
    REQUIRE(worker->serve_also(busy));
    REQUIRE(until([this] { return busy.armed.load(); }));
  }
  ~Fixture() { worker->serve_no_more(busy); }
  static bool until(const std::function<bool()>& true_at_last) {
    for (int i = 0; i < 5000; ++i) {
      if (true_at_last()) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }
  bool is_served_more() const {
    return until([this, before = busy.served.load()] { return busy.served > before; });
  }
  // Of the worker's thread.
  std::chrono::nanoseconds processor_time() const {
    timespec time{};
    worker->call([&] { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); });
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  hypervisor::Descriptor reports{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Busy busy;
  std::unique_ptr<Worker> worker;
};

TEST_CASE_FIXTURE(Fixture, "what comes while a worker is held is served when it goes on") {
  worker->hold(no_end);
  const int served = busy.served;
  busy.give_work();
  std::this_thread::sleep_for(a_moment);
  CHECK(busy.served == served);
  worker->go_on();
  CHECK(is_served_more());
}

TEST_CASE_FIXTURE(Fixture, "a worker amid its work is held when hold returns, sleeps, and obeys") {
  busy.give_work();
  CHECK(is_served_more());
  worker->hold(no_end);
  const int served = busy.served;
  const auto before = processor_time();
  std::this_thread::sleep_for(a_moment);
  CHECK(processor_time() - before < a_moment / 2);
  CHECK(busy.served == served);
}

TEST_CASE_FIXTURE(Fixture, "a worker that is told no more goes on by itself") {
  busy.give_work();
  CHECK(is_served_more());
  worker->hold(milliseconds(1));
  CHECK(is_served_more());
}

}  // namespace
}  // namespace ringback::backend
