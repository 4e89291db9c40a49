// One queue with a thread of its own, from connect() to destruction: a poll of its event channels
// and its taps. Made, started and destroyed by the control thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "frontend/netfront_queue.hpp"
#include "hypervisor/descriptor.hpp"

namespace ringback::frontend {

class QueueThread {
 public:
  // Opens handles of its own and connects the queue, but runs nothing yet. counters outlive it.
  static Result<std::unique_ptr<QueueThread>> connect(QueueSetup setup, Counters& counters);
  QueueThread(const QueueThread&) = delete;
  QueueThread& operator=(const QueueThread&) = delete;
  ~QueueThread();

  const xenstore::QueueKeys& keys() const { return queue_->keys(); }

  // on_fault: called once, on the queue's thread, if the queue can't go on; fault() then says why.
  void start(std::function<void()> on_fault);
  std::optional<Error> fault() const;

 private:
  QueueThread(std::unique_ptr<hypervisor::EventChannels> channels,
              std::unique_ptr<hypervisor::GrantSharer> sharer, hypervisor::Descriptor stop,
              std::vector<int> taps);
  Result<void> run();

  std::unique_ptr<hypervisor::EventChannels> channels_;
  std::unique_ptr<hypervisor::GrantSharer> sharer_;
  hypervisor::Descriptor stop_;
  std::vector<int> taps_;
  std::unique_ptr<NetfrontQueue> queue_;
  Error error_;
  std::atomic<bool> failed_ = false;  // error_ may be read
  std::thread thread_;
};

}  // namespace ringback::frontend
