// In a domain of the embedded hypervisor: a worker has its own event channels and grants.
#include "backend/worker.hpp"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
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
  bool arm() override { return false; }
  void readable() override { told = true; }
  bool waits_to_read() const override { return false; }
  int fd() const override { return fd_.get(); }
  std::optional<Fault> fault() const override { return std::nullopt; }

  void give_work() const { REQUIRE(eventfd_write(fd_.get(), 1) == 0); }

  std::atomic<int> served = 0;
  std::atomic<bool> told = false;

 private:
  hypervisor::Descriptor fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

struct Fixture {
  Fixture() {
    auto started = Worker::start(reports.get(), hypervisor::Io::Kind::best);
    REQUIRE(started);
    worker = std::move(*started);
  }
  ~Fixture() { worker->serve_no_more(busy); }
  bool is_served_more() const {
    return until([this, before = busy.served.load()] { return busy.served > before; });
  }
  static bool until(const std::function<bool()>& true_at_last) {
    for (int i = 0; i < 5000; ++i) {
      if (true_at_last()) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  hypervisor::Descriptor reports{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Busy busy;
  std::unique_ptr<Worker> worker;
};

TEST_CASE_FIXTURE(
    Fixture,
    "what a worker serves waits while it is held, commands run, and nothing told is lost") {
  worker->hold(true);
  REQUIRE(worker->serve_also(busy));
  busy.give_work();
  bool ran = false;
  worker->call([&] { ran = true; });
  CHECK(ran);
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(busy.served == 0);
  worker->hold(false);
  CHECK(is_served_more());
  CHECK(until([this] { return busy.told.load(); }));
}

TEST_CASE_FIXTURE(Fixture, "a worker amid its work is held when hold returns, and ends so too") {
  REQUIRE(worker->serve_also(busy));
  busy.give_work();
  CHECK(is_served_more());
  worker->hold(true);
  const int served = busy.served;
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(busy.served == served);
}

}  // namespace
}  // namespace ringback::backend
