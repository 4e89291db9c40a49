#include <sys/epoll.h>

#include <cerrno>
#include <unordered_map>

#include "hypervisor/descriptor.hpp"
#include "hypervisor/io.hpp"

namespace ringback::hypervisor {
namespace {

class EpollIo final : public Io {
 public:
  explicit EpollIo(Descriptor epoll) : epoll_(std::move(epoll)) {}

  Result<void> watch(int fd, Trigger trigger, std::function<void()> readable) override {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (trigger == Trigger::once) event.events |= EPOLLONESHOT;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return system_failure("cannot watch a descriptor");
    watched_[fd] = std::make_shared<std::function<void()>>(std::move(readable));
    return {};
  }

  void again(int fd) override {
    epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = fd}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  }

  void unwatch(int fd) override {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watched_.erase(fd);
  }

  Result<void> wait(bool block) override {
    std::array<epoll_event, 64> events;
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), block ? -1 : 0);
    if (count < 0 && errno != EINTR) return system_failure("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const auto found = watched_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (found == watched_.end()) continue;  // by a callback before it
      const auto readable = found->second;    // kept alive if it unwatches itself
      (*readable)();
    }
    return {};
  }

  void read(int fd, std::span<Transfer> transfers) override { read_in_turn(fd, transfers); }
  void write(int fd, std::span<Transfer> transfers) override { write_in_turn(fd, transfers); }
  const char* name() const override { return "epoll"; }

 private:
  Descriptor epoll_;
  std::unordered_map<int, std::shared_ptr<std::function<void()>>> watched_;
};

}  // namespace

Result<std::unique_ptr<Io>> open_epoll_io() {
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return system_failure("cannot make an epoll");
  return std::make_unique<EpollIo>(std::move(epoll));
}

Result<std::unique_ptr<Io>> Io::open(Kind kind) {
  if (kind == Kind::epoll) return open_epoll_io();
  auto uring = open_uring_io();
  return uring || kind == Kind::uring ? std::move(uring) : open_epoll_io();
}

void Io::read_in_turn(int fd, std::span<Transfer> transfers) {
  bool empty = false;
  for (Transfer& transfer : transfers) {
    if (empty) {
      transfer.result = -EAGAIN;
      continue;
    }
    const auto got = readv(fd, transfer.parts.data(), Transfer::part_count);
    transfer.result = got < 0 ? -errno : static_cast<int>(got);
    empty = got < 0;
  }
}

void Io::write_in_turn(int fd, std::span<Transfer> transfers) {
  for (Transfer& transfer : transfers) {
    const auto put = writev(fd, transfer.parts.data(), Transfer::part_count);
    transfer.result = put < 0 ? -errno : static_cast<int>(put);
  }
}

}  // namespace ringback::hypervisor
