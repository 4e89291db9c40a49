#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>
#include <vector>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/io.hpp"

namespace ringback::hypervisor {
namespace {

constexpr unsigned queue_size = 256;
// Completions that find no room wait in the kernel.
constexpr unsigned completion_size = 4096;

// liburing 2.3 declares io_uring_enable_rings() and does not have it.
bool enable(const io_uring& ring) {
  return syscall(SYS_io_uring_register, ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) ==
         0;
}

// A policy may allow rings, but not this.
bool rings_can_be_enabled() {
  io_uring ring{};
  if (io_uring_queue_init(1, &ring, IORING_SETUP_R_DISABLED) != 0) return false;
  const bool enabled = enable(ring);
  io_uring_queue_exit(&ring);
  return enabled;
}

// Every call is over when it returns; only polls stay with the kernel.
class UringIo final : public Io {
 public:
  UringIo() = default;
  ~UringIo() override {
    if (made_) io_uring_queue_exit(&ring_);
  }
  UringIo(const UringIo&) = delete;
  UringIo& operator=(const UringIo&) = delete;

  // 0 or an errno
  int make(unsigned flags) {
    io_uring_params parameters{};
    // Disabled until the thread that is to use it comes.
    parameters.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
    parameters.cq_entries = completion_size;
    if (const int code = io_uring_queue_init_params(queue_size, &ring_, &parameters); code != 0)
      return -code;
    made_ = true;
    tells_of_work_ = (flags & IORING_SETUP_TASKRUN_FLAG) != 0;
    return 0;
  }

  Result<void> watch(int fd, Trigger trigger, std::function<void()> readable) override {
    if (watched_.contains(fd)) return failure(EEXIST, "a descriptor is watched already");
    Descriptor set(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (!set || epoll_ctl(set.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return system_failure("cannot watch a descriptor");
    auto watched = std::make_shared<Watched>(fd, std::move(set), trigger, std::move(readable));
    arm(*watched);
    watched_[fd] = std::move(watched);
    return {};
  }

  void unwatch(int fd) override {
    const auto found = watched_.find(fd);
    if (found == watched_.end()) return;
    const auto watched = found->second;
    watched_.erase(found);
    watched->wanted = false;
    if (watched->armed) {
      io_uring_sqe* entry = next_entry();
      io_uring_prep_poll_remove(entry, to_data(*watched));
      io_uring_sqe_set_data64(entry, 0);
      while (watched->armed) enter(1);
    }
    std::erase(rearm_, watched.get());
  }

  void again(int fd) override {
    if (const auto found = watched_.find(fd); found != watched_.end() && !found->second->armed)
      arm(*found->second);
  }

  Result<void> wait(bool block) override {
    while (!rearm_.empty()) {
      Watched* watched = rearm_.back();
      rearm_.pop_back();
      arm(*watched);
    }
    reap();
    if (block && ready_.empty())
      enter(1);
    else if (io_uring_sq_ready(&ring_) > 0 || kernel_has_work())
      enter(0);
    telling_.swap(ready_);
    for (const auto& watched : telling_)
      if (watched->wanted) watched->readable();
    telling_.clear();
    return {};
  }

  void read(int fd, std::span<Transfer> transfers) override {
    if (nowait_) carry_out(io_uring_prep_readv2, fd, transfers);
    // Before Linux 6.4 or so a tap knows no RWF_NOWAIT, and a read without would wait for a frame.
    if (!nowait_) read_in_turn(fd, transfers);
  }

  void write(int fd, std::span<Transfer> transfers) override {
    carry_out(io_uring_prep_writev2, fd, transfers);
  }

  const char* name() const override { return "io_uring"; }

 private:
  struct Watched {
    Watched(int descriptor, Descriptor with_it, Trigger when, std::function<void()> tell)
        : fd(descriptor), set(std::move(with_it)), trigger(when), readable(std::move(tell)) {}
    const int fd;
    // Has fd alone, and is polled for it: a poll of io_uring holds its file until some time after
    // a kill -9, and the next process would find event channels and taps still taken. An epoll set
    // holds none.
    const Descriptor set;
    const Trigger trigger;
    const std::function<void()> readable;
    bool wanted = true;
    bool armed = false;  // the kernel has its poll
  };

  // A completion's data says whose it is: a transfer's address and 1, or a Watched's, or nobody's.
  static std::uint64_t to_data(const Transfer& transfer) {
    return reinterpret_cast<std::uintptr_t>(&transfer) | 1;
  }
  static std::uint64_t to_data(const Watched& watched) {
    return reinterpret_cast<std::uintptr_t>(&watched);
  }

  io_uring_sqe* next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {
      enter(0);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }

  // In one system call. What needs no waiting, like a write to a tap, is over when it is submitted.
  void carry_out(decltype(io_uring_prep_readv2)* how, int fd, std::span<Transfer> transfers) {
    moving_ = transfers.size();
    for (Transfer& transfer : transfers) {
      io_uring_sqe* entry = next_entry();
      how(entry, fd, transfer.parts.data(), Transfer::part_count, 0, nowait_ ? RWF_NOWAIT : 0);
      io_uring_sqe_set_data64(entry, to_data(transfer));
    }
    while (moving_ > 0) enter(static_cast<unsigned>(moving_));
    if (nowait_ && !transfers.empty() && transfers.front().result == -EOPNOTSUPP) {
      nowait_ = false;
      if (how == io_uring_prep_writev2) carry_out(how, fd, transfers);
    }
  }

  void arm(Watched& watched) {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_poll_add(entry, watched.set.get(), POLLIN);
    io_uring_sqe_set_data64(entry, to_data(watched));
    watched.armed = true;
  }

  // Submits, and waits for so many completions. What keeps the kernel from it passes: it has no
  // memory, or completions to get rid of, or there was a signal.
  void enter(unsigned completions) {
    if (!enabled_) {
      enable(ring_);
      enabled_ = true;
    }
    if (completions > 0)
      io_uring_submit_and_wait(&ring_, completions);
    else
      io_uring_submit_and_get_events(&ring_);
    reap();
  }

  bool kernel_has_work() const {
    return !tells_of_work_ ||
           (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) != 0;
  }

  void reap() {
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++count;
      take(*completion);
    }
    io_uring_cq_advance(&ring_, count);
  }

  void take(const io_uring_cqe& completion) {
    if (completion.user_data == 0) return;
    if ((completion.user_data & 1) != 0) {
      auto* tagged = static_cast<std::byte*>(io_uring_cqe_get_data(&completion));
      reinterpret_cast<Transfer*>(tagged - 1)->result = completion.res;
      --moving_;
      return;
    }
    auto& watched = *static_cast<Watched*>(io_uring_cqe_get_data(&completion));
    watched.armed = false;
    if (!watched.wanted) return;
    // A poll that failed is told too: who reads then sees why.
    if (watched.trigger == Trigger::always) rearm_.push_back(&watched);
    ready_.push_back(watched_[watched.fd]);
  }

  io_uring ring_{};
  bool made_ = false;
  bool enabled_ = false;
  bool tells_of_work_ = false;
  bool nowait_ = true;      // taps know RWF_NOWAIT
  std::size_t moving_ = 0;  // transfers that are not finished
  std::unordered_map<int, std::shared_ptr<Watched>> watched_;
  std::vector<Watched*> rearm_;  // their polls are over
  std::vector<std::shared_ptr<Watched>> ready_;
  std::vector<std::shared_ptr<Watched>> telling_;
};

}  // namespace

Result<std::unique_ptr<Io>> open_uring_io() {
  // What the kernel has to do for the ring is done when it is entered, by its one thread; kernels
  // before 6.1 and 5.19 don't know how.
  int code = 0;
  for (const unsigned flags :
       {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0U}) {
    auto io = std::make_unique<UringIo>();
    code = io->make(flags);
    if (code == 0 && !rings_can_be_enabled()) code = EPERM;
    if (code == 0) return io;
    if (code != EINVAL) break;
  }
  return system_failure("no io_uring", code);
}

}  // namespace ringback::hypervisor
