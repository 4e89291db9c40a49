#include "backend/worker.hpp"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cstdlib>

namespace ringback::backend {
namespace {

void signal(int eventfd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(eventfd, &one, sizeof one);
}

// For so many rounds a task without work is looked at, as long as others have some; then it is
// armed.
constexpr unsigned most_idle_rounds = 16;

void drain(int eventfd) {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(eventfd, &count, sizeof count);
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::start(int report_fd, hypervisor::Io::Kind kind) {
  auto io = hypervisor::Io::open(kind);
  if (!io) return tl::unexpected(io.error());
  auto events = hypervisor::open_event_channels();
  if (!events) return tl::unexpected(events.error());
  auto grants = hypervisor::open_grant_user();
  if (!grants) return tl::unexpected(grants.error());
  hypervisor::Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  hypervisor::Descriptor hold_ends(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!wake || !hold_ends) return system_failure("cannot make a worker");
  std::unique_ptr<Worker> worker(new Worker(std::move(*io), std::move(*events), std::move(*grants),
                                            std::move(wake), std::move(hold_ends), report_fd));
  Worker* self = worker.get();
  using Trigger = hypervisor::Io::Trigger;
  if (auto watched =
          self->io_->watch(self->wake_.get(), Trigger::always, [self] { self->woken(); });
      !watched)
    return tl::unexpected(watched.error());
  if (auto watched =
          self->io_->watch(self->hold_ends_.get(), Trigger::always, [self] { self->set_hold({}); });
      !watched)
    return tl::unexpected(watched.error());
  if (auto watched = self->io_->watch(self->events_->fd(), Trigger::always,
                                      [self] { self->collect_events(); });
      !watched)
    return tl::unexpected(watched.error());
  self->thread_ = std::thread([self] { self->run(); });
  return worker;
}

Worker::Worker(std::unique_ptr<hypervisor::Io> io,
               std::unique_ptr<hypervisor::EventChannels> events,
               std::unique_ptr<hypervisor::GrantUser> grants, hypervisor::Descriptor wake,
               hypervisor::Descriptor hold_ends, int report_fd)
    : io_(std::move(io)),
      events_(std::move(events)),
      grants_(std::move(grants)),
      copier_(*grants_, *io_),
      wake_(std::move(wake)),
      hold_ends_(std::move(hold_ends)),
      report_fd_(report_fd) {}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  call([this] { stopping_ = true; });
  thread_.join();
}

void Worker::call(const std::function<void()>& function) {
  const std::uint32_t before = done_.load(std::memory_order_acquire);
  commands_.push(&function);  // calls are one at a time, so there is room
  signal(wake_.get());
  done_.wait(before, std::memory_order_acquire);
}

PollWindow::Clock::duration Worker::wake_up_time() {
  std::array<PollWindow::Clock::duration, 15> round_trips;
  for (auto& round_trip : round_trips) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // until it is asleep
    const auto begun = PollWindow::Clock::now();
    call({});
    round_trip = PollWindow::Clock::now() - begun;
  }
  // Half of a round trip, for the caller is woken too; of a good one, for what else goes on now
  // says nothing of later.
  const auto good = round_trips.begin() + round_trips.size() / 4;
  std::ranges::nth_element(round_trips, good);
  return *good / 2;
}

void Worker::set_longest_poll(PollWindow::Clock::duration longest) {
  call([&] { window_ = PollWindow(longest); });
}

void Worker::hold(PollWindow::Clock::duration longest) {
  call([&] { set_hold(longest); });
}

void Worker::go_on() {
  call([this] { set_hold({}); });
}

// Setting the timer takes back that it has ended, as reading it would.
void Worker::set_hold(PollWindow::Clock::duration longest) {
  using namespace std::chrono;
  const auto whole = duration_cast<seconds>(longest);
  const itimerspec at = {
      .it_interval = {},
      .it_value = {.tv_sec = whole.count(),
                   .tv_nsec = duration_cast<nanoseconds>(longest - whole).count()}};
  held_ = timerfd_settime(hold_ends_.get(), 0, &at, nullptr) == 0 && longest > longest.zero();
}

Result<Queue*> Worker::connect(const Queue::Config& config, Port& port) {
  Result<Queue*> result = nullptr;
  call([&] {
    auto queue = Queue::connect(config, port, *events_, *grants_, [this] {
      serve_all_ = true;
      signal(wake_.get());
    });
    if (!queue) {
      result = tl::unexpected(queue.error());
      return;
    }
    Queue& served = **queue;
    if (auto watched = watch(served); !watched) {
      result = tl::unexpected(watched.error());
      return;
    }
    by_channel_[served.tx_event_channel()] = &served;
    by_channel_[served.rx_event_channel()] = &served;
    queues_[&served] = std::move(*queue);
    result = &served;
  });
  if (result) ++task_count_;
  return result;
}

void Worker::disconnect(Queue* queue, const std::function<void(Queue&)>& last) {
  call([&] {
    unwatch(*queue);
    by_channel_.erase(queue->tx_event_channel());
    by_channel_.erase(queue->rx_event_channel());
    if (last) last(*queue);
    queues_.erase(queue);
  });
  --task_count_;
  forget_reports(*queue);
}

Result<void> Worker::serve_also(Task& task) {
  Result<void> result;
  call([&] { result = watch(task); });
  if (result) ++task_count_;
  return result;
}

void Worker::serve_no_more(Task& task) {
  call([&] { unwatch(task); });
  --task_count_;
  forget_reports(task);
}

// The next task may lie at the same address and is not to be blamed for this one.
void Worker::forget_reports(const Task& task) {
  receive_reports();
  std::erase_if(received_, [&](const Report& report) { return report.task == &task; });
}

void Worker::receive_reports() {
  Report report;
  while (reports_.pop(report)) received_.push_back(report);
}

std::optional<Worker::Report> Worker::next_report() {
  receive_reports();
  if (received_.empty()) return std::nullopt;
  const Report report = received_.front();
  received_.pop_front();
  return report;
}

Result<void> Worker::watch(Task& task) {
  if (task.fd() >= 0) {
    // Once: a tap that is full while its guest is, is not looked at again and again.
    const auto readable = [this, &task] {
      tasks_[&task].told = true;
      task.readable();
      make_ready(task);
    };
    if (auto watched = io_->watch(task.fd(), hypervisor::Io::Trigger::once, readable); !watched)
      return watched;
  }
  make_ready(task);
  return {};
}

void Worker::unwatch(Task& task) {
  if (task.fd() >= 0) io_->unwatch(task.fd());
  std::erase_if(ready_, [&](const Served* served) { return served->first == &task; });
  tasks_.erase(&task);
}

void Worker::make_ready(Served& served) {
  if (!std::exchange(served.second.ready, true)) ready_.push_back(&served);
}

void Worker::make_ready(Task& task) {
  make_ready(*tasks_.try_emplace(&task).first);
}

void Worker::woken() {
  drain(wake_.get());
  if (!serve_all_.exchange(false)) return;
  for (auto& served : tasks_) make_ready(served);
}

void Worker::collect_events() {
  // What ended a sleep is mostly one event alone, and to look in vain costs a system call.
  for (std::size_t left = slept_ ? 1 : by_channel_.size(); left > 0; --left) {
    const auto port = events_->pending();
    if (!port) return;
    const auto found = by_channel_.find(*port);
    if (found == by_channel_.end()) continue;  // of a queue that has just gone
    Queue& queue = *found->second;
    if (*port == queue.tx_event_channel()) queue.guest_sent();
    if (*port == queue.rx_event_channel()) queue.guest_posted();
    make_ready(queue);
  }
}

// One burst of every ready task in turn: no guest can starve another. While some have work the rest
// are looked at for a while too, which is cheaper than an event; when none has had any for the
// window's length, all are armed.
void Worker::serve() {
  serving_.swap(ready_);
  bool any = false;
  for (Served* served : serving_) {
    auto& [task, state] = *served;
    state.ready = false;
    const bool worked = task->serve(copier_);
    state.idle = worked ? 0 : state.idle + 1;
    any = any || worked;
    if (state.told && task->waits_to_read()) {
      state.told = false;
      io_->again(task->fd());
    }
    if (const auto fault = task->fault(); fault && !state.reported) {
      state.reported = reports_.push({task, *fault});
      if (state.reported) signal(report_fd_);
    }
  }
  if (any) window_.worked();
  const bool looks_on =
      !window_.never() && !any && !serving_.empty() && window_.looks_on(PollWindow::Clock::now());
  for (Served* served : serving_) {
    const unsigned idle = served->second.idle;
    if (looks_on || idle == 0 || (any && idle < most_idle_rounds) || served->first->arm())
      make_ready(*served);
  }
  serving_.clear();
}

void Worker::run_commands() {
  Command command = nullptr;
  while (commands_.pop(command)) {
    if (*command) (*command)();
    done_.fetch_add(1, std::memory_order_release);
    done_.notify_one();
  }
}

void Worker::run() {
  while (!stopping_) {
    slept_ = held_ || ready_.empty();
    if (const auto waited = io_->wait(slept_); !waited) {
      // Without it guests and the control thread would wait for ever; the next daemon takes over.
      spdlog::critical("a worker can't wait for work: {}", waited.error().what);
      std::_Exit(EXIT_FAILURE);
    }
    if (slept_ && !window_.never()) window_.woken(PollWindow::Clock::now());
    if (!held_) serve();
    run_commands();
  }
}

}  // namespace ringback::backend
