// A worker: a thread that serves queues and uplinks and sleeps when none has work. It has its own
// event-channel and grant handles, and what it serves is touched by nobody else.
//
// The control thread talks to it by call(): a function that runs on the worker between two bursts.
// What the worker has to say (a guest misbehaved) comes back through a bounded queue
// (Boost.Lockfree) and wakes the control thread's `reports` descriptor.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backend/copier.hpp"
#include "backend/poll_window.hpp"
#include "backend/queue.hpp"
#include "backend/task.hpp"
#include "hypervisor/descriptor.hpp"
#include "hypervisor/io.hpp"

namespace ringback::backend {

class Worker {
 public:
  // Told once of each task.
  struct Report {
    Task* task;
    Fault fault;
  };

  // Starts the thread. report_fd: an eventfd of the control thread, written when reports() has
  // something.
  static Result<std::unique_ptr<Worker>> start(int report_fd, hypervisor::Io::Kind io);
  // Ends the thread. Its queues must have been removed.
  ~Worker();

  // Runs the function on the worker and returns when it has run; an empty one is a barrier. Only
  // from the control thread.
  void call(const std::function<void()>& function);

  // The control thread: about what it takes to wake this one from its sleep; measured in some
  // 20 ms.
  PollWindow::Clock::duration wake_up_time();
  // The control thread: how long it may look for work before it sleeps (PollWindow). Not at all,
  // until this is said.
  void set_longest_poll(PollWindow::Clock::duration longest);
  // The control thread: all that it serves waits until go_on(), or until so long has passed:
  // whatever keeps the control thread, guests have their traffic. Commands run all the same.
  void hold(PollWindow::Clock::duration longest);
  void go_on();

  // The control thread: connects a queue on this worker, and ends it. last: called on the worker,
  // when the queue is served no more and before it goes.
  Result<Queue*> connect(const Queue::Config& config, Port& port);
  void disconnect(Queue* queue, const std::function<void(Queue&)>& last = {});
  // Likewise for a task that is somebody else's, and outlives its being served.
  Result<void> serve_also(Task& task);
  void serve_no_more(Task& task);
  std::size_t task_count() const { return task_count_; }
  const char* io_name() const { return io_->name(); }

  // The control thread: the next report, always of a task that is still served.
  std::optional<Report> next_report();

 private:
  using Command = const std::function<void()>*;

  Worker(std::unique_ptr<hypervisor::Io> io, std::unique_ptr<hypervisor::EventChannels> events,
         std::unique_ptr<hypervisor::GrantUser> grants, hypervisor::Descriptor wake,
         hypervisor::Descriptor hold_ends, int report_fd);
  void receive_reports();
  void run();
  void run_commands();
  void woken();
  void set_hold(PollWindow::Clock::duration longest);
  void collect_events();
  void serve();
  struct State {
    bool ready = false;
    unsigned idle = 0;  // rounds since it had work
    bool told =
        false;  // its descriptor was readable, and is not watched until it waits for it again
    bool reported = false;
  };
  using Served = std::pair<Task* const, State>;
  void make_ready(Served& served);
  void make_ready(Task& task);
  Result<void> watch(Task& task);
  void unwatch(Task& task);
  void forget_reports(const Task& task);

  std::unique_ptr<hypervisor::Io> io_;
  std::unique_ptr<hypervisor::EventChannels> events_;
  std::unique_ptr<hypervisor::GrantUser> grants_;
  Copier copier_;
  hypervisor::Descriptor wake_;
  hypervisor::Descriptor hold_ends_;  // a timer
  const int report_fd_;

  // The worker's own.
  std::unordered_map<Task*, State> tasks_;
  std::unordered_map<Queue*, std::unique_ptr<Queue>> queues_;
  std::unordered_map<hypervisor::Port, Queue*> by_channel_;
  std::vector<Served*> ready_;  // of tasks_
  std::vector<Served*> serving_;
  PollWindow window_{{}};
  bool slept_ = false;  // what io_ tells now ended a sleep
  bool held_ = false;
  bool stopping_ = false;

  // Shared with the control thread.
  boost::lockfree::spsc_queue<Command, boost::lockfree::capacity<64>> commands_;
  boost::lockfree::spsc_queue<Report, boost::lockfree::capacity<1024>> reports_;
  std::atomic<std::uint32_t> done_ = 0;
  // Shared with other workers: one of them found a sink here broken. So rare that none is named.
  std::atomic<bool> serve_all_ = false;
  // The control thread's.
  std::size_t task_count_ = 0;
  std::deque<Report> received_;  // taken from reports_
  std::thread thread_;
};

}  // namespace ringback::backend
