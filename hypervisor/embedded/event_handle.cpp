#include "hypervisor/embedded/event_handle.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "hypervisor/embedded/wake_up.hpp"

namespace ringback::hypervisor::embedded {

Answer<std::unique_ptr<EventHandle>> EventHandle::open(bool close_on_exec) {
  auto opened = Client::open(Call::open_events, close_on_exec);
  if (!opened) return tl::unexpected(opened.error());
  auto& passed = opened->reply.descriptors;
  if (passed.size() != 2) return tl::unexpected(EPROTO);
  auto memory = SharedMemory::map(passed[0].get(), DomainMemory::events_size);
  if (!memory) return tl::unexpected(memory.error());
  if (!DomainMemory(memory->base(), 0).well_formed()) return tl::unexpected(EPROTO);
  if (!close_on_exec) ::fcntl(passed[1].get(), F_SETFD, 0);
  return std::unique_ptr<EventHandle>(
      new EventHandle(std::move(opened->client), std::move(*memory), std::move(passed[1])));
}

EventHandle::EventHandle(Client client, SharedMemory memory, Descriptor eventfd)
    : client_(std::move(client)),
      mapped_(std::move(memory)),
      memory_(mapped_.base(), 0),
      eventfd_(std::move(eventfd)) {}

// --- binding ---

Answer<Port> EventHandle::bind_unbound(std::uint32_t remote) {
  return bind({.call = Call::bind_unbound, .domain = remote});
}

Answer<Port> EventHandle::bind_interdomain(std::uint32_t remote, Port remote_port) {
  return bind({.call = Call::bind_remote, .domain = remote, .port = remote_port});
}

Answer<Port> EventHandle::bind_virq(std::uint32_t virq) {
  return bind({.call = Call::bind_virq, .port = virq});
}

Answer<Port> EventHandle::bind(const Request& request) {
  const std::lock_guard lock(mutex_);
  drop_dead_targets();
  const auto reply = client_.call(request);
  if (!reply) return tl::unexpected(reply.error());
  const Port port = reply->header.value;
  targets_[port] = {};
  const std::size_t word = word_of(port);
  const auto place = std::ranges::lower_bound(own_, word, {}, &OwnPorts::word);
  if (place != own_.end() && place->word == word)
    place->bits |= bit_of(port);
  else
    own_.insert(place, {word, bit_of(port)});
  return port;
}

Answer<void> EventHandle::unbind(Port port) {
  if (port >= port_count) return tl::unexpected(EINVAL);
  if (!owns(port)) return tl::unexpected(ENOTCONN);
  {
    const std::lock_guard lock(mutex_);
    drop_dead_targets();
    targets_.erase(port);
    const auto place = std::ranges::lower_bound(own_, word_of(port), {}, &OwnPorts::word);
    place->bits &= ~bit_of(port);
    if (place->bits == 0) own_.erase(place);
    if (const auto reply = client_.call({.call = Call::unbind, .port = port}); !reply)
      return tl::unexpected(reply.error());
  }
  ready_.erase(
      std::remove(ready_.begin() + static_cast<std::ptrdiff_t>(next_ready_), ready_.end(), port),
      ready_.end());
  drain_if_all_delivered();
  return {};
}

Answer<void> EventHandle::restrict(std::uint32_t domain) {
  const std::lock_guard lock(mutex_);
  const auto reply = client_.call({.call = Call::restrict, .domain = domain});
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

// --- notify ---

Answer<void> EventHandle::notify(Port port) {
  if (port >= port_count) return tl::unexpected(EINVAL);
  for (;;) {
    {
      const std::shared_lock lock(mutex_);
      const auto found = targets_.find(port);
      if (found == targets_.end()) return tl::unexpected(ENOTCONN);
      const Target& target = found->second;
      const PortTag tag = memory_.tag(port).load();
      if (target.tag == tag) {
        if (!target.memory) return {};  // nobody is there: Xen drops the event
        const DomainMemory remote(target.memory->base(), 0);
        const std::size_t word = word_of(target.port);
        const std::uint64_t bit = bit_of(target.port);
        remote.pending(word).fetch_or(bit);
        // A bit that was set already is no excuse: whoever set it may have woken a handle that has
        // lost the port since.
        if ((remote.mask(word).load() & bit) != 0) return {};
        wake_up(target.eventfd->get());
        return {};
      }
    }
    if (auto refreshed = refresh(port); !refreshed) return refreshed;
  }
}

// Asks the server who is at the other end now.
Answer<void> EventHandle::refresh(Port port) {
  const std::lock_guard lock(mutex_);
  if (!targets_.contains(port)) return tl::unexpected(ENOTCONN);
  drop_dead_targets();
  auto reply = client_.call({.call = Call::peer, .port = port});
  if (!reply) return tl::unexpected(reply.error());
  // Nobody is there, or this process can have no more descriptors: that may pass.
  if (reply->header.id != 0 && reply->descriptors.size() != 2) return tl::unexpected(EMFILE);
  Target target{.tag = reply->header.tag,
                .port = reply->header.value,
                .owner = reply->header.id,
                .domain_id = reply->header.domain_id};
  if (reply->descriptors.size() == 2 && target.port < port_count) {
    share_with_others(target);
    if (!target.eventfd)
      target.eventfd = std::make_shared<Descriptor>(std::move(reply->descriptors[1]));
    if (!target.memory) {
      auto memory = SharedMemory::map(reply->descriptors[0].get(), DomainMemory::events_size);
      if (!memory) return tl::unexpected(memory.error());
      target.memory = std::make_shared<SharedMemory>(std::move(*memory));
    }
  }
  targets_[port] = std::move(target);
  return {};
}

// Ports that lead to the same domain and handle use one mapping and one descriptor.
void EventHandle::share_with_others(Target& target) const {
  for (const auto& [port, other] : targets_) {
    if (other.memory && other.domain_id == target.domain_id) target.memory = other.memory;
    if (other.eventfd && other.owner == target.owner) target.eventfd = other.eventfd;
  }
}

// A dead domain's memory is held by nobody but us.
void EventHandle::drop_dead_targets() {
  for (auto& [port, target] : targets_)
    if (target.memory && !DomainMemory(target.memory->base(), 0).alive()) target = {};
}

// --- pending and unmask ---

bool EventHandle::owns(Port port) const {
  const auto place = std::ranges::lower_bound(own_, word_of(port), {}, &OwnPorts::word);
  return place != own_.end() && place->word == word_of(port) && (place->bits & bit_of(port)) != 0;
}

Answer<Port> EventHandle::pending() {
  while (next_ready_ == ready_.size()) {
    if (auto token = take_token(); !token) return tl::unexpected(token.error());
    scan();
    if (next_ready_ < ready_.size()) break;
    // The event of this token came with an earlier one.
    if (!may_block()) return tl::unexpected(EAGAIN);
    // Whoever polled must not be blocked now, and one event too many does no harm.
    if (const Port port = find_spurious(); port != 0) {
      memory_.mask(word_of(port)).fetch_or(bit_of(port));
      return port;
    }
  }
  last_delivered_ = ready_[next_ready_++];
  if (next_ready_ < ready_.size() && !token_left_) put_token();
  drain_if_all_delivered();
  return last_delivered_;
}

Answer<void> EventHandle::unmask(Port port) {
  if (port >= port_count) return tl::unexpected(EINVAL);
  if (!owns(port)) return {};  // as Linux
  memory_.mask(word_of(port)).fetch_and(~bit_of(port));
  if ((memory_.pending(word_of(port)).load() & bit_of(port)) != 0) put_token();
  return {};
}

void EventHandle::scan() {
  ready_.clear();
  next_ready_ = 0;
  for (const OwnPorts& own : own_) {
    std::uint64_t bits =
        memory_.pending(own.word).load() & ~memory_.mask(own.word).load() & own.bits;
    if (bits == 0) continue;
    memory_.mask(own.word).fetch_or(bits);
    memory_.pending(own.word).fetch_and(~bits);
    for (; bits != 0; bits &= bits - 1)
      ready_.push_back(
          static_cast<Port>(own.word * 64 + static_cast<unsigned>(std::countr_zero(bits))));
  }
}

void EventHandle::put_token() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(eventfd_.get(), &one, sizeof one);
  token_left_ = true;
}

Answer<void> EventHandle::take_token() {
  std::uint64_t tokens;
  if (::read(eventfd_.get(), &tokens, sizeof tokens) < 0) return tl::unexpected(errno);
  token_left_ = false;
  return {};
}

// With the last ready event the descriptor stops being readable, unless there is more. The token
// may have been a real event's as well, so look.
void EventHandle::drain_if_all_delivered() {
  if (next_ready_ < ready_.size() || !token_left_) return;
  if (!take_token()) return;
  scan();
  if (!ready_.empty()) put_token();
}

bool EventHandle::may_block() const {
  return (::fcntl(fd(), F_GETFL) & O_NONBLOCK) == 0;
}

// A port that may be delivered without cause: the last one if it can be, else any; 0 if all are
// masked.
Port EventHandle::find_spurious() const {
  const auto unmasked = [&](std::size_t word) { return ~memory_.mask(word).load(); };
  if (owns(last_delivered_) && (unmasked(word_of(last_delivered_)) & bit_of(last_delivered_)) != 0)
    return last_delivered_;
  for (const OwnPorts& own : own_)
    if (const std::uint64_t bits = unmasked(own.word) & own.bits; bits != 0)
      return static_cast<Port>(own.word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
  return 0;
}

}  // namespace ringback::hypervisor::embedded
