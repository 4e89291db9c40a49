#include "frontend/device.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>

#include "xenstore/key_reader.hpp"

namespace ringback::frontend {
namespace {

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

Result<std::unique_ptr<Device>> Device::open(hypervisor::EventLoop& loop, std::uint32_t number,
                                             Owner& owner) {
  auto store = xenstore::Store::open();
  if (!store) return tl::unexpected(store.error());
  const auto domain = store->own_domain();
  if (!domain) return tl::unexpected(domain.error());
  auto path = xenstore::frontend_path({.domain = *domain, .device = number});
  std::unique_ptr<Device> self(new Device(loop, owner, std::move(*store), std::move(path)));
  auto ready = self->store_.watch(self->path_, "frontend").and_then([&] {
    return loop.add(self->store_.fd(), EPOLLIN, [s = self.get()](std::uint32_t) { s->on_store(); });
  });
  if (!ready) return tl::unexpected(ready.error());
  return self;
}

Device::Device(hypervisor::EventLoop& loop, Owner& owner, xenstore::Store store, std::string path)
    : loop_(loop), owner_(owner), store_(std::move(store)), path_(std::move(path)) {}

Device::~Device() {
  if (retry_) loop_.cancel(*retry_);
  loop_.remove(store_.fd());
}

void Device::close() {
  closing_ = true;
  act(handshake_.close());
  if (auto looked = look(); !looked) give_up(looked.error());
}

void Device::give_up(const Error& error) {
  if (!broken_) broken_ = error;
  loop_.stop();
}

void Device::on_store() {
  for (int taken = 0; taken < most_events; ++taken) {
    const auto event = store_.next_event();
    if (!event) return give_up(event.error());
    if (!*event) break;
  }
  if (auto looked = look(); !looked) give_up(looked.error());
}

void Device::retry_later() {
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
Result<void> Device::look() {
  const auto state = store_.read(path_ + "/state");
  if (!state) return tl::unexpected(state.error());
  if (*state) {
    if (auto followed = follow_backend(); !followed) return followed;
    if (!appeared_) {
      if (auto told = owner_.appeared(); !told) return told;
      appeared_ = true;
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
  at_rest_ = is_at_rest(view.frontend_state) && is_at_rest(view.backend_state);
  if (closing_ && at_rest_) loop_.stop();
  return {};
}

Result<void> Device::follow_backend() {
  const auto path = store_.read(path_ + "/backend");
  if (!path) return tl::unexpected(path.error());
  const std::string now = path->value_or("");
  if (now == backend_path_) return {};
  if (!backend_path_.empty()) store_.unwatch(backend_path_ + "/state", "backend");
  backend_path_ = now;
  if (now.empty()) return {};
  return store_.watch(backend_path_ + "/state", "backend");
}

void Device::act(const std::vector<FrontendAction>& actions) {
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
        if (auto runs = owner_.run(); !runs) give_up(runs.error());
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
        spdlog::info("{}: {}", path_, appeared_ ? "the device is gone" : "waiting for the device");
        break;
    }
  }
}

// Only where the node still is: one that the toolstack has removed must not come back.
void Device::say(XenbusState state) {
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

Result<void> Device::connect() {
  disconnect();
  const auto frontend = xenstore::read_directory(store_, path_);
  if (!frontend) return tl::unexpected(frontend.error());
  const auto backend = xenstore::read_directory(store_, backend_path_);
  if (!backend) return tl::unexpected(backend.error());
  const auto keys = owner_.connect(*frontend, *backend);
  if (!keys) return tl::unexpected(keys.error());
  return publish(*keys);
}

Result<void> Device::publish(const xenstore::FrontendKeys& keys) {
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

void Device::disconnect() {
  if (auto disconnected = owner_.disconnect(); !disconnected) give_up(disconnected.error());
}

}  // namespace ringback::frontend
