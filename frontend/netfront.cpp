#include "frontend/netfront.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "frontend/statistics.hpp"
#include "xenstore/key_reader.hpp"
#include "xenstore/number.hpp"

namespace ringback::frontend {
namespace {

using hypervisor::Descriptor;
using hypervisor::DomainId;
using xenstore::FrontendAction;
using xenstore::XenbusState;

// Taken at one go: a backend that writes without end keeps nothing else from being done.
constexpr int most_events = 4096;
constexpr auto retry_delay = std::chrono::seconds(5);

// Ring keys of every layout: what an earlier connection left must not be taken for this one's.
bool is_ring_key(std::string_view key) {
  constexpr std::string_view single[] = {"tx-ring-ref",      "rx-ring-ref",
                                         "event-channel",    "event-channel-tx",
                                         "event-channel-rx", "multi-queue-num-queues"};
  return key.starts_with("queue-") || std::ranges::find(single, key) != std::end(single);
}

// Nothing is connected, nor about to close. A node that is gone counts as unknown.
bool is_at_rest(XenbusState state) {
  return state <= XenbusState::init_wait || state == XenbusState::closed;
}

}  // namespace

Result<std::unique_ptr<Netfront>> Netfront::open(hypervisor::EventLoop& loop,
                                                 NetfrontOptions options) {
  auto store = xenstore::Store::open();
  if (!store) return tl::unexpected(store.error());
  const auto domain = store->own_domain();
  if (!domain) return tl::unexpected(domain.error());
  Descriptor fault(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fault) return system_failure("cannot make an eventfd");
  auto path = xenstore::frontend_path({.domain = *domain, .device = options.device});
  std::unique_ptr<Netfront> self(
      new Netfront(loop, std::move(options), std::move(*store), std::move(fault), std::move(path)));
  auto ready = self->store_.watch(self->path_, "frontend")
                   .and_then([&] {
                     return loop.add(self->store_.fd(), EPOLLIN,
                                     [s = self.get()](std::uint32_t) { s->on_store(); });
                   })
                   .and_then([&] {
                     return loop.add(self->fault_.get(), EPOLLIN,
                                     [s = self.get()](std::uint32_t) { s->on_fault(); });
                   });
  if (!ready) return tl::unexpected(ready.error());
  return self;
}

Netfront::Netfront(hypervisor::EventLoop& loop, NetfrontOptions options, xenstore::Store store,
                   Descriptor fault, std::string path)
    : loop_(loop),
      options_(std::move(options)),
      store_(std::move(store)),
      fault_(std::move(fault)),
      path_(std::move(path)),
      counters_(options_.queues) {}

Netfront::~Netfront() {
  if (retry_) loop_.cancel(*retry_);
  loop_.remove(store_.fd());
  loop_.remove(fault_.get());
}

std::string Netfront::statistics() const {
  return to_json(counters_);
}

void Netfront::close() {
  closing_ = true;
  act(handshake_.close());
  if (auto looked = look(); !looked) give_up(looked.error());
}

void Netfront::give_up(const Error& error) {
  if (!broken_) broken_ = error;
  loop_.stop();
}

void Netfront::on_store() {
  for (int taken = 0; taken < most_events; ++taken) {
    const auto event = store_.next_event();
    if (!event) return give_up(event.error());
    if (!*event) break;
  }
  if (auto looked = look(); !looked) give_up(looked.error());
}

// A queue gave up: the backend lied, or the tap is gone.
void Netfront::on_fault() {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(fault_.get(), &count, sizeof count);
  for (const auto& queue : queues_) {
    const auto fault = queue->fault();
    if (!fault) continue;
    spdlog::error("{}: disconnected: {}", path_, fault->what);
    return retry_later();
  }
}

// Closes, and starts over with the next handshake after a while.
void Netfront::retry_later() {
  disconnect();
  act(handshake_.close());
  if (retry_) return;
  retry_ = loop_.after(retry_delay, [this] {
    retry_.reset();
    if (closing_) return;
    act(handshake_.restart());
  });
}

// Reads the whole present picture, which may have jumped past what a watch has announced.
Result<void> Netfront::look() {
  const auto state = store_.read(path_ + "/state");
  if (!state) return tl::unexpected(state.error());
  if (*state) {
    if (auto followed = follow_backend(); !followed) return followed;
    if (!tap_) {
      if (auto made = make_tap(); !made) return made;
    }
  }
  xenstore::FrontendView view;
  view.frontend_exists = state->has_value();
  view.frontend_state = xenstore::parse_xenbus_state(*state);
  if (!backend_path_.empty()) {
    // Where a directory has gone, the store says EACCES for what its parent does not show to
    // guests.
    auto backend = store_.read(backend_path_ + "/state");
    if (!backend && backend.error().code != EACCES) return tl::unexpected(backend.error());
    const auto text = backend ? std::move(*backend) : std::nullopt;
    view.backend_exists = text.has_value();
    view.backend_state = xenstore::parse_xenbus_state(text);
  }
  act(handshake_.see(view));
  if (closing_ && is_at_rest(view.frontend_state) && is_at_rest(view.backend_state)) loop_.stop();
  return {};
}

Result<void> Netfront::follow_backend() {
  const auto path = store_.read(path_ + "/backend");
  if (!path) return tl::unexpected(path.error());
  const std::string now = path->value_or("");
  if (now == backend_path_) return {};
  if (!backend_path_.empty()) store_.unwatch(backend_path_ + "/state", "backend");
  backend_path_ = now;
  if (now.empty()) return {};
  return store_.watch(backend_path_ + "/state", "backend");
}

Result<void> Netfront::make_tap() {
  auto tap = hypervisor::Tap::open(options_.tap, options_.queues);
  if (!tap) return tl::unexpected(tap.error());
  if (auto off = tap->set_carrier(false); !off) return off;
  tap_ = std::move(*tap);
  spdlog::info("{}: has the tap {}", path_, options_.tap);
  return {};
}

void Netfront::act(const std::vector<FrontendAction>& actions) {
  for (const auto action : actions) {
    switch (action) {
      case FrontendAction::initialise:
        say(XenbusState::initialising);
        break;
      case FrontendAction::say_closing:
        say(XenbusState::closing);
        break;
      case FrontendAction::say_closed:
        say(XenbusState::closed);
        break;
      case FrontendAction::run:
        run();
        break;
      case FrontendAction::disconnect:
        disconnect();
        break;
      case FrontendAction::connect: {
        const auto connected = connect();
        act(handshake_.connect_done(connected.has_value()));
        if (connected) break;
        spdlog::error("{}: cannot connect: {}", path_, connected.error().what);
        return retry_later();
      }
      case FrontendAction::forget:
        disconnect();
        spdlog::info("{}: {}", path_, tap_ ? "the device is gone" : "waiting for the device");
        break;
    }
  }
}

// Only where the node still is: one that the toolstack has removed must not come back.
void Netfront::say(XenbusState state) {
  const std::string node = path_ + "/state";
  const auto said = store_.transact([&](xenstore::Transaction& transaction) -> Result<void> {
    const auto there = transaction.read(node);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return {};
    return transaction.write(node, std::to_string(static_cast<int>(state)));
  });
  if (!said) return give_up(said.error());
  spdlog::info("{}: {}", path_, xenstore::name(state));
}

Result<void> Netfront::connect() {
  disconnect();
  const auto frontend = xenstore::read_directory(store_, path_);
  if (!frontend) return tl::unexpected(frontend.error());
  const auto backend = xenstore::read_directory(store_, backend_path_);
  if (!backend) return tl::unexpected(backend.error());
  const auto agreed = negotiate(options_, *frontend, *backend);
  if (!agreed) return tl::unexpected(agreed.error());

  auto set =
      tap_->set_mac(agreed->mac).and_then([&] { return tap_->set_mtu(agreed->mtu); }).and_then([&] {
        return tap_->set_offload(agreed->backend);
      });
  if (!set) return set;

  xenstore::FrontendKeys keys;
  keys.split_event_channels = agreed->split_event_channels;
  keys.rx_notify = true;
  keys.abilities = agreed->own;
  for (std::uint32_t i = 0; i < agreed->queues; ++i) {
    QueueSetup setup{.backend = agreed->backend_domain,
                     .abilities = agreed->backend,
                     .split_event_channels = agreed->split_event_channels,
                     .verify_checksums = options_.verify_checksums,
                     .taps = {}};
    // With fewer queues than the tap has, each serves several of its descriptors.
    for (std::size_t tap = i; tap < tap_->queue_count(); tap += agreed->queues)
      setup.taps.push_back(tap_->queue(tap));
    auto queue = QueueThread::connect(std::move(setup), counters_[i]);
    if (!queue) return tl::unexpected(queue.error());
    keys.queues.push_back((*queue)->keys());
    queues_.push_back(std::move(*queue));
  }
  return publish(keys);
}

Result<void> Netfront::publish(const xenstore::FrontendKeys& keys) {
  const auto text = xenstore::print(keys);
  return store_.transact([&](xenstore::Transaction& transaction) -> Result<void> {
    const auto names = transaction.list(path_);
    if (!names) return tl::unexpected(names.error());
    if (names->empty()) return failure(ENOENT, "the device is gone");
    for (const auto& name : *names) {
      if (!is_ring_key(name)) continue;
      if (auto removed = transaction.remove(path_ + "/" + name); !removed) return removed;
    }
    for (const auto& [key, value] : text) {
      if (auto written = transaction.write(path_ + "/" + key, value); !written) return written;
    }
    return transaction.write(path_ + "/state",
                             std::to_string(static_cast<int>(XenbusState::connected)));
  });
}

void Netfront::run() {
  for (const auto& queue : queues_) {
    queue->start([this] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(fault_.get(), &one, sizeof one);
    });
  }
  if (auto on = tap_->set_carrier(true); !on) return give_up(on.error());
  spdlog::info("{}: runs with {} queue{}", path_, queues_.size(), queues_.size() == 1 ? "" : "s");
}

void Netfront::disconnect() {
  if (queues_.empty()) return;
  queues_.clear();
  if (auto off = tap_->set_carrier(false); !off) give_up(off.error());
}

}  // namespace ringback::frontend
