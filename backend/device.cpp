#include "backend/device.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "backend/statistics.hpp"
#include "backend/vif_path.hpp"
#include "xenstore/key_reader.hpp"

namespace ringback::backend {

using xenstore::BackendAction;
using xenstore::BackendView;
using xenstore::XenbusState;

namespace {

std::string text(XenbusState state) {
  return std::to_string(static_cast<int>(state));
}

// This host is short of something. (EAGAIN is not among them: a guest that goes on writing its keys
// has them read in vain.)
bool is_lack(const Error& error) {
  constexpr std::array codes = {EBUSY, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
  return std::ranges::find(codes, error.code) != codes.end();
}
constexpr auto between_attempts = std::chrono::seconds(1);

// The toolstack removed the vif's directory between two looks at it: nobody's fault.
constexpr int directory_gone = ENODATA;

// Of a tap (hypervisor/tap.hpp). Another backend may have offered more before.
constexpr std::uint32_t most_queues = 256;

// A guest that ends so short a connection again and again has to wait like one that is refused: to
// connect costs the daemon work and lines of its log.
constexpr auto short_connection = std::chrono::seconds(1);

void log_failure(const Result<void>& done) {
  if (!done) spdlog::error("{}", done.error().what);
}

}  // namespace

Device::Device(const Shared& shared, xenstore::VifId id, std::string backend, std::string frontend)
    : shared_(shared),
      id_(id),
      name_(xenstore::device_name(id)),
      backend_(std::move(backend)),
      frontend_(std::move(frontend)) {}

Backoff::Clock::duration Device::look() {
  // At first there is no vif, and it may have to be made now: all that this takes is read at once.
  const bool all = handshake_.state() == xenstore::BackendHandshake::State::idle;
  auto keys = all ? read_backend() : read_backend_state();
  auto seen = keys.and_then([this](const auto& backend) { return view(backend); });
  if (!seen) {
    spdlog::error("{}: {}", name_, seen.error().what);
    return between_attempts;
  }
  if (vif_ && vif_->connected() && seen->online &&
      (seen->backend_state == XenbusState::closing || seen->backend_state == XenbusState::closed))
    report(
        "somebody else has closed it (is the kernel's netback loaded?): detach the vif and attach "
        "it again");
  const auto wait = hold_back(*seen);
  waits_for_host_ &= has_rings();  // an offer that waited is made again where it is still wanted
  const bool waited = waits_for_host_;
  act(handshake_.see(*seen), all ? std::move(*keys) : xenstore::Keys());
  if (waited && waits_for_host_ && has_rings()) try_to_connect();
  if (!waits_for_host_) return wait;
  return std::max<Backoff::Clock::duration>(next_attempt_ - Backoff::Clock::now(),
                                            std::chrono::milliseconds(1));
}

// What the vif may do on its switch is changed while it is connected. A change that can't be
// understood changes nothing.
void Device::follow_policy() {
  if (!vif_ || vif_->config().port != xenstore::PortKind::software_switch) return;
  const auto keys = read_backend();
  if (!keys) return spdlog::error("{}: {}", name_, keys.error().what);
  if (!keys->contains("state")) return;  // a directory that has just gone asks for nothing
  const auto policy = xenstore::parse_port_policy(*keys);
  if (policy) {
    vif_->set_policy(*policy);
    if (!refused_policy_.empty()) log_failure(shared_.store.remove(backend_ + "/error"));
    refused_policy_.clear();
  } else if (policy.error().what != refused_policy_) {
    refused_policy_ = policy.error().what;
    report(refused_policy_ + " (what was in force before stays so)");
  }
}

void Device::found(const Fault& fault) {
  if (fault.of == Fault::Of::device) return replace_tap();
  refuse(fmt::format("the guest broke the protocol: {}", fault.what));
  act(handshake_.condemn());
}

// The guest has done nothing and notices nothing: its rings go on with another tap.
void Device::replace_tap() {
  disconnect();
  try_to_connect();
}

Result<xenstore::Keys> Device::read_backend() const {
  return xenstore::read_keys(shared_.store, backend_, xenstore::backend_key_names());
}

// What view() takes of it.
Result<xenstore::Keys> Device::read_backend_state() const {
  xenstore::Keys keys;
  for (const char* name : {"state", "online", "hotplug-status"}) {
    auto value = shared_.store.read(fmt::format("{}/{}", backend_, name));
    if (!value) return tl::unexpected(value.error());
    if (*value) keys.emplace(name, std::move(**value));
  }
  return keys;
}

Result<BackendView> Device::view(const xenstore::Keys& backend) const {
  // To a driver domain a frontend that has gone with its domain is out of reach, not missing. What
  // its guest hides from us has gone as well.
  const auto frontend_state = shared_.store.read(frontend_ + "/state");
  if (!frontend_state && frontend_state.error().code != EACCES)
    return tl::unexpected(frontend_state.error());
  const auto ours = [&](std::string_view key) {
    const auto at = backend.find(key);
    return at == backend.end() ? std::nullopt : std::optional<std::string_view>(at->second);
  };
  BackendView seen;
  seen.backend_exists = ours("state").has_value();
  seen.backend_state = xenstore::parse_xenbus_state(ours("state"));
  seen.online = ours("online") != "0";
  seen.hotplug_connected = ours("hotplug-status") == "connected";
  if (!frontend_state || !*frontend_state) return seen;
  seen.frontend_exists = true;
  seen.frontend_state = xenstore::parse_xenbus_state(*frontend_state);
  return seen;
}

// A guest that was refused again and again may close at once, but is not seen to start over until
// its backoff is over. What the toolstack does is seen at once.
Backoff::Clock::duration Device::hold_back(BackendView& seen) {
  const auto left = backoff_.left(Backoff::Clock::now());
  const bool closes = !seen.frontend_exists || seen.frontend_state == XenbusState::closing ||
                      seen.frontend_state == XenbusState::closed;
  if (left == Backoff::Clock::duration{} || closes || seen.frontend_state == frontend_state_) {
    frontend_state_ = seen.frontend_state;
    return {};
  }
  // Whatever it says afterwards comes after a Closed.
  seen.frontend_state = frontend_state_ = XenbusState::closed;
  return left;
}

void Device::act(std::vector<BackendAction> actions, xenstore::Keys known) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    std::vector<BackendAction> more;
    switch (actions[i]) {
      case BackendAction::offer:
        if (auto instead = offer(known)) {
          actions.resize(i + 1);  // what was to come stood on the offer
          more = std::move(*instead);
        }
        known.clear();  // it has written there
        break;
      case BackendAction::connect:  // the last one
        try_to_connect(known);
        break;
      case BackendAction::announce:
        announce(known);
        break;
      case BackendAction::disconnect:
        disconnect();
        count_short_connection();
        break;
      case BackendAction::say_closing:
        say(XenbusState::closing);
        break;
      case BackendAction::say_closed:
        say(XenbusState::closed);
        break;
      case BackendAction::forget:
        forget();
        break;
    }
    actions.insert(actions.end(), more.begin(), more.end());
  }
}

// Returns what is to be done instead, where it can't be offered: nothing, where it is tried again.
std::optional<std::vector<BackendAction>> Device::offer(const xenstore::Keys& known) {
  if (is_too_early()) {
    handshake_.postpone_offer();
    return std::vector<BackendAction>();
  }
  // The network device is there before InitWait is: the toolstack runs its script on it then (note
  // 31).
  shared_.kept.remove(name_);  // the next rings are new ones
  const auto done = prepare(false, known).and_then([this](bool made) {
    const auto& config = vif_->config();
    // A guest may have it offered as often as it likes, without a line for each in the log.
    spdlog::log(
        made ? spdlog::level::info : spdlog::level::debug, "{}: offered to domain {}, {}", name_,
        id_.domain,
        config.port == xenstore::PortKind::tap ? "by a tap" : "on switch " + config.switch_name);
    if (config.rate && made)
      spdlog::warn("{}: its rate is not enforced: use tc on its network device", name_);
    xenstore::BackendFeatures features;
    features.max_queues = config.max_queues;
    auto keys = print(features);
    keys["state"] = text(XenbusState::init_wait);
    return write_if_there(keys);
  });
  if (done) {
    if (!lacked_.empty()) log_failure(shared_.store.remove(backend_ + "/error"));
    lacked_.clear();
    return std::nullopt;
  }
  if (done.error().code != EINVAL) {
    wait_for_host(done.error());
    handshake_.postpone_offer();
    return std::vector<BackendAction>();
  }
  refuse(done.error().what);  // the guest may have it tried as often as it likes
  return handshake_.condemn();
}

// The guest has no part in what this host lacks or the toolstack wrote: it waits, and may be one
// that has noticed nothing of a daemon killed before. Nor can it ask for more attempts.
bool Device::is_too_early() {
  return waits_for_host_ = Backoff::Clock::now() < next_attempt_;
}

void Device::wait_for_host(const Error& lack) {
  waits_for_host_ = true;
  next_attempt_ = Backoff::Clock::now() + between_attempts;
  if (lack.code == directory_gone) return;  // which is seen in a moment
  const std::string all = lack.what + " (tried again every second)";
  if (lack.what != lacked_) spdlog::error("{}: {}", name_, all);
  lacked_ = lack.what;
  log_failure(write_if_there({{"error", all}}));
}

// Its guest has named them, and it is connected or to be connected to them.
bool Device::has_rings() const {
  using State = xenstore::BackendHandshake::State;
  return handshake_.state() == State::attached || handshake_.state() == State::connected;
}

void Device::try_to_connect(const xenstore::Keys& known) {
  if (is_too_early()) return;
  const auto prepared = prepare(true, known);  // a daemon before this one may have made the offer
  const auto frontend = prepared.and_then([this](bool) { return frontend_keys(); });
  // A daemon before this one has said so: to these rings.
  const bool resumes = handshake_.said() == XenbusState::connected;
  const auto connected = frontend.and_then(
      [&](const auto& keys) { return vif_->connect(keys, shared_.kept, resumes); });
  if (!prepared || (!connected && is_lack(connected.error()))) {
    wait_for_host(connected.error());
    return;
  }
  lacked_.clear();
  if (!connected) {
    refuse(connected.error().what);
    return act(handshake_.condemn());
  }
  spdlog::info("{}: connected", name_);
  connected_since_ = Backoff::Clock::now();
  // Where it has been announced before, that is all there is to do.
  if (handshake_.state() == xenstore::BackendHandshake::State::connected) vif_->set_carrier(true);
  act(handshake_.connect_done(true), known);
  if (resumes && vif_->has_new_tap())  // whether or not a daemon ran when that happened
    report(
        "its tap was deleted; there is a new one, down and in no bridge: bring it up and put it "
        "into its bridge, or detach the vif and attach it again");
}

Result<xenstore::FrontendKeys> Device::frontend_keys() const {
  const auto most = vif_->config().max_queues;
  return xenstore::read_keys(shared_.store, frontend_, xenstore::frontend_key_names(most))
      .and_then([most](const auto& keys) { return xenstore::parse_frontend_keys(keys, most); });
}

void Device::announce(const xenstore::Keys& known) {
  if (vif_) vif_->set_carrier(true);
  // What an earlier attempt met with is over.
  if (!waits_for_host_ && (known.empty() || known.contains("error")))
    log_failure(shared_.store.remove(backend_ + "/error"));
  const auto said = known.find("state");
  if (said == known.end() || said->second != text(XenbusState::connected))
    say(XenbusState::connected);
}

void Device::disconnect() {
  waits_for_host_ = false;
  const bool connected = vif_ && vif_->connected();
  if (connected) {
    vif_->set_carrier(false);
    vif_->disconnect();
  }
  shared_.kept.remove(name_);  // all promises were kept, and the next rings may be new ones
  if (connected) spdlog::info("{}: disconnected; {}", name_, summary(vif_->statistics()));
}

void Device::count_short_connection() {
  const auto now = Backoff::Clock::now();
  const bool condemned = handshake_.state() == xenstore::BackendHandshake::State::condemned;
  if (!condemned && now - connected_since_ < short_connection) backoff_.refused(now);
  connected_since_ = {};  // counted once
}

void Device::forget() {
  give_up_tap();
  shared_.kept.remove(name_);
  shared_.switches.drop_empty();
  spdlog::info("{}: gone", name_);
}

// Whatever somebody has made of its name, its alias or its network namespace; or one of a daemon
// before this one, which only its alias tells.
void Device::give_up_tap() {
  if (vif_) vif_->give_up_tap();
  vif_.reset();
  log_failure(shared_.taps.remove(kept_as(id_)));
}

// The vif and its port, made from what the toolstack wrote; kept while that stays the same. True:
// it was made. A guest that has been offered so many queues may have them, whatever was written
// since, or is what is offered by this version.
Result<bool> Device::prepare(bool offered, const xenstore::Keys& known) {
  const auto keys = known.empty() ? read_backend() : Result<xenstore::Keys>(known);
  if (!keys) return tl::unexpected(keys.error());
  if (!keys->contains("state")) return failure(directory_gone, backend_ + " has gone");
  auto config = xenstore::parse_vif_config(id_, *keys);
  if (!config) return tl::unexpected(config.error());
  config->hotplug_status.clear();  // no part of what the vif is
  if (const auto offer = xenstore::parse_backend_features(*keys); offered && offer)
    config->max_queues = std::min(offer->max_queues, most_queues);
  if (vif_) vif_->set_policy(config->policy);
  if (vif_ && vif_->config() == *config && !vif_->lost_tap()) return false;
  // A tap stays one, with its addresses and its bridge.
  if (config->port == xenstore::PortKind::tap)
    vif_.reset();
  else
    give_up_tap();
  auto vif = std::make_unique<Vif>(*config, shared_.workers);
  if (config->port == xenstore::PortKind::software_switch) {
    vif->join(shared_.switches.get(config->switch_name));
  } else if (auto made = vif->make_tap(shared_.taps); !made) {
    return tl::unexpected(made.error());
  }
  vif_ = std::move(vif);
  shared_.switches.drop_empty();  // it may have been on another one
  return true;
}

void Device::report(const std::string& what) {
  spdlog::error("{}: {}", name_, what);
  log_failure(write_if_there({{"error", what}}));
}

// What the guest itself is to blame for.
void Device::refuse(const std::string& what) {
  report(what);
  backoff_.refused(Backoff::Clock::now());
}

void Device::say(XenbusState state) {
  log_failure(write_if_there({{"state", text(state)}}));
}

// Writes keys below BE, all or none, unless the device has vanished: it is never made again (note
// 35).
Result<void> Device::write_if_there(const xenstore::Keys& keys) {
  return shared_.store.transact([&](xenstore::Transaction& transaction) -> Result<void> {
    auto exists = transaction.read(backend_ + "/state");
    if (!exists) return tl::unexpected(exists.error());
    if (!*exists) return {};
    for (const auto& [key, value] : keys) {
      const std::string path = backend_ + "/" + key;
      auto present = transaction.read(path);
      if (!present) return tl::unexpected(present.error());
      if (*present == value) continue;  // who watches it is not disturbed: a restart is unnoticed
      if (auto written = transaction.write(path, value); !written) return written;
    }
    return {};
  });
}

}  // namespace ringback::backend
