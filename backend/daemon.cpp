#include "backend/daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "backend/statistics.hpp"
#include "backend/vif_path.hpp"
#include "xenstore/key_reader.hpp"

namespace ringback::backend {

using xenstore::BackendAction;
using xenstore::BackendView;
using xenstore::VifId;
using xenstore::XenbusState;

namespace {
// The token of the watch on all vifs; a vif's own is its path.
constexpr const char* root_token = "backend";
// Taken at one go, so that a guest that writes without end keeps nothing else from being done.
constexpr int most_events = 4096;
constexpr auto kernel_time = std::chrono::milliseconds(500);

// Two daemons would take each other's vifs. A lock goes with its process, however that ends; this
// file is root's alone to lock. With a store of its own (the embedded hypervisor, xenstored in a
// test) the daemon is that store's, and locks the folder of its socket.
Result<hypervisor::Descriptor> only_one() {
  const char* store = std::getenv("XENSTORED_PATH");
  const std::string place = store != nullptr
                                ? std::filesystem::absolute(store).parent_path().string()
                                : "/run/ringbackd.lock";
  const int flags = store != nullptr ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT | O_NOFOLLOW;
  hypervisor::Descriptor held(::open(place.c_str(), flags | O_CLOEXEC, 0600));
  if (!held) return system_failure(fmt::format("cannot open {} (is this run as root?)", place));
  if (flock(held.get(), LOCK_EX | LOCK_NB) == 0) return held;
  if (errno != EWOULDBLOCK) return system_failure("cannot lock " + place);
  return failure(EADDRINUSE,
                 "another ringbackd serves this domain's vifs already: end it first (its guests "
                 "won't notice)");
}

std::string state_text(XenbusState state) {
  return std::to_string(static_cast<int>(state));
}
}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(std::size_t workers, hypervisor::Io::Kind io) {
  auto loop = hypervisor::EventLoop::open();
  if (!loop) return tl::unexpected(loop.error());
  auto store = xenstore::Store::open();
  if (!store) return tl::unexpected(store.error());
  auto own = store->own_domain();
  if (!own) return tl::unexpected(own.error());
  auto links = hypervisor::Links::open();
  if (!links) return tl::unexpected(links.error());
  std::unique_ptr<Daemon> daemon(
      new Daemon(std::move(*loop), std::move(*store), std::move(*links), *own));
  if (auto opened = daemon->open(workers, io); !opened) return tl::unexpected(opened.error());
  return daemon;
}

Daemon::Daemon(std::unique_ptr<hypervisor::EventLoop> loop, xenstore::Store store,
               hypervisor::Links links, hypervisor::DomainId own)
    : loop_(std::move(loop)),
      store_(std::move(store)),
      links_(std::move(links)),
      own_(own),
      root_(fmt::format("/local/domain/{}/backend/vif", own)) {}

Daemon::~Daemon() {
  devices_.clear();  // vifs leave their workers before these end
}

Result<void> Daemon::open(std::size_t workers, hypervisor::Io::Kind io) {
  auto sole = only_one();
  if (!sole) return tl::unexpected(sole.error());
  sole_ = std::move(*sole);
  if (auto stop = loop_->stop_on_signals(); !stop) return stop;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  statistics_signal_ = hypervisor::Descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  reports_ = hypervisor::Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reports_ || !statistics_signal_) return system_failure("cannot start");
  for (std::size_t i = 0; i < workers; ++i) {
    auto worker = Worker::start(reports_.get(), io);
    if (!worker) return tl::unexpected(worker.error());
    workers_.push_back(std::move(*worker));
  }
  const auto signalled = [this](std::uint32_t) {
    signalfd_siginfo info;
    while (::read(statistics_signal_.get(), &info, sizeof info) > 0) log_statistics();
  };
  if (auto added = loop_->add(statistics_signal_.get(), EPOLLIN, signalled); !added) return added;
  if (auto added = loop_->add(reports_.get(), EPOLLIN, [this](std::uint32_t) { worker_reports(); });
      !added)
    return added;
  if (auto added = loop_->add(store_.fd(), EPOLLIN, [this](std::uint32_t) { store_events(); });
      !added)
    return added;
  // One watch for all that the toolstack writes; a second one per vif for its frontend's state.
  return store_.watch(root_, root_token);
}

Result<void> Daemon::run() {
  spdlog::info("serving the vifs below {} with {} worker{} and {}", root_, workers_.size(),
               workers_.size() == 1 ? "" : "s", workers_.front()->io_name());
  if (kernel_netback_.loaded())
    spdlog::warn(
        "the kernel's netback is loaded and takes every new vif; unload xen-netback and keep it "
        "away (/etc/modprobe.d: blacklist xen-netback) for this daemon to serve them");
  scan();
  remove_orphans();
  if (auto ran = loop_->run(); !ran) return ran;
  if (lost_.code != 0) return tl::unexpected(lost_);
  log_statistics();
  return {};
}

// Takes what has happened first, then looks at each vif once, however often its guest has written.
// What a guest writes below its state is no news.
void Daemon::store_events() {
  std::set<VifId> touched;
  bool all = false;
  for (int taken = 0; taken < most_events; ++taken) {
    const auto event = store_.next_event();
    if (!event) {
      lost_ = event.error();
      loop_->remove(store_.fd());
      return loop_->stop();
    }
    if (!*event) break;
    const auto& [path, token] = **event;
    if (token == root_token) {
      const auto id =
          vif_of(std::string_view(path).substr(std::min(path.size(), root_.size() + 1)));
      if (id) touched.insert(*id);
      all |= !id;
    } else if (const auto id = vif_of(token); id && path.ends_with("/state")) {
      touched.insert(*id);
    }
  }
  if (all) scan();
  for (const VifId id : touched) look_at(id);
}

// The whole tree, or a domain's part of it, was made or removed at once.
void Daemon::scan() {
  std::vector<VifId> known;
  for (const auto& [id, device] : devices_) known.push_back(id);
  for (const VifId id : known) look_at(id);
  const auto domains = store_.list(root_);
  if (!domains) return;
  for (const auto& domain : *domains) {
    const auto handles = store_.list(root_ + "/" + domain);
    if (!handles) continue;
    for (const auto& handle : *handles) {
      if (const auto id = vif_of(domain + "/" + handle)) look_at(*id);
    }
  }
}

// Taps of vifs that went while no daemon ran, or before this one had made use of them. A store that
// does not answer is no reason to take a guest's tap.
void Daemon::remove_orphans() {
  const auto links = links_.list();
  if (!links) return spdlog::error("{}", links.error().what);
  for (const auto& link : *links) {
    if (!link.tap || !link.alias.starts_with(tap_alias_prefix)) continue;
    const auto id = vif_of(link.alias.substr(tap_alias_prefix.size()));
    if (!id) continue;
    const auto frontend = store_.read(xenstore::backend_path(own_, *id) + "/frontend");
    if (!frontend || *frontend) continue;
    if (const auto removed = links_.remove(link.name); !removed)
      spdlog::error("{}", removed.error().what);
    else
      spdlog::info("removed {}, whose vif has gone", link.name);
  }
}

Result<BackendView> Daemon::view(const Device& device) {
  BackendView seen;
  const auto read = [this](const std::string& path) { return store_.read(path); };
  const auto backend_state = read(device.backend + "/state");
  const auto online = read(device.backend + "/online");
  const auto hotplug = read(device.backend + "/hotplug-status");
  const auto frontend_state = read(device.frontend + "/state");
  for (const auto* value : {&backend_state, &online, &hotplug, &frontend_state})
    if (!*value) return tl::unexpected(value->error());
  seen.backend_exists = backend_state->has_value();
  seen.frontend_exists = frontend_state->has_value();
  seen.backend_state = xenstore::parse_xenbus_state(*backend_state);
  seen.frontend_state = xenstore::parse_xenbus_state(*frontend_state);
  seen.online = *online != "0";
  seen.hotplug_connected = *hotplug == "connected";
  return seen;
}

void Daemon::look_at(VifId id) {
  const std::string backend = xenstore::backend_path(own_, id);
  auto found = devices_.find(id);
  if (found == devices_.end()) {
    const auto frontend = store_.read(backend + "/frontend");
    if (!frontend || !*frontend) {  // not there, or not yet complete
      left_to_kernel_.erase(id);
      return;
    }
    if (kernel_netback_.loaded() && !is_ours(id)) return;
    left_to_kernel_.erase(id);
    found = devices_
                .emplace(id, Device{.backend = backend,
                                    .frontend = **frontend,
                                    .handshake = {},
                                    .vif = {},
                                    .frontend_state = {},
                                    .backoff = {},
                                    .resting = false})
                .first;
    // Fires at once, so the device is looked at again with whatever happened in between.
    if (auto watched = store_.watch(found->second.frontend + "/state", path_of(id)); !watched) {
      report(id, found->second, watched.error().what);
      devices_.erase(found);  // looked at again when the toolstack next touches it
      return;
    }
  }
  Device& device = found->second;
  auto seen = view(device);
  if (!seen) return spdlog::error("{}: {}", xenstore::device_name(id), seen.error().what);
  rest(id, device, *seen);
  act(id, device, device.handshake.see(*seen));
  if (device.handshake.state() == xenstore::BackendHandshake::State::gone) {
    store_.unwatch(device.frontend + "/state", path_of(id));
    devices_.erase(found);
  }
}

// A guest that was refused again and again is seen as it was, until its backoff is over. What the
// toolstack does is seen at once.
void Daemon::rest(VifId id, Device& device, BackendView& seen) {
  const auto left = device.backoff.left(Backoff::Clock::now());
  if (left == Backoff::Clock::duration{} || !seen.frontend_exists) {
    device.frontend_state = seen.frontend_state;
    return;
  }
  if (seen.frontend_state == device.frontend_state) return;
  seen.frontend_state = device.frontend_state;
  if (std::exchange(device.resting, true)) return;
  loop_->after(left, [this, id] {
    const auto rested = devices_.find(id);
    if (rested == devices_.end()) return;
    rested->second.resting = false;
    look_at(id);
  });
}

// The kernel hears of a new vif when we do: it is given time to take it.
bool Daemon::is_ours(VifId id) {
  const auto now = std::chrono::steady_clock::now();
  const auto [place, fresh] = left_to_kernel_.emplace(id, Left{now, false});
  Left& left = place->second;
  if (fresh) loop_->after(kernel_time, [this, id] { look_at(id); });
  if (!kernel_netback_.has(id)) return now - left.since >= kernel_time;
  if (!std::exchange(left.told, true))
    spdlog::warn("{}: left to the kernel's netback, which has it", xenstore::device_name(id));
  return false;
}

void Daemon::act(VifId id, Device& device, std::vector<BackendAction> actions) {
  const std::string name = xenstore::device_name(id);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const auto follow = [&](std::vector<BackendAction> more) {
      actions.insert(actions.end(), more.begin(), more.end());
    };
    switch (actions[i]) {
      case BackendAction::offer:
        if (auto offered = offer(id, device); !offered) {
          report(id, device, offered.error().what);
          actions.resize(i + 1);  // what was to come stood on the offer
          follow(device.handshake.condemn());
        }
        break;
      case BackendAction::connect: {
        const auto connected = connect(id, device);
        if (connected)
          spdlog::info("{}: connected", name);
        else
          refuse(id, device, connected.error().what);
        follow(device.handshake.connect_done(connected.has_value()));
        break;
      }
      case BackendAction::announce:
        if (device.vif) device.vif->set_carrier(true);
        // What an earlier attempt met with is over.
        if (const auto removed = store_.remove(device.backend + "/error"); !removed)
          spdlog::error("{}", removed.error().what);
        say(device, XenbusState::connected);
        break;
      case BackendAction::disconnect:
        if (device.vif && device.vif->connected()) {
          device.vif->set_carrier(false);
          device.vif->disconnect();
          spdlog::info("{}: disconnected; {}", name, summary(device.vif->statistics()));
        }
        break;
      case BackendAction::say_closing:
        say(device, XenbusState::closing);
        break;
      case BackendAction::say_closed:
        say(device, XenbusState::closed);
        break;
      case BackendAction::forget:
        if (device.vif)
          device.vif->give_up_tap();
        else
          remove_orphans();
        device.vif.reset();
        switches_.drop_empty();
        spdlog::info("{}: gone", name);
        break;
    }
  }
}

// The vif and its port, made from what the toolstack wrote; kept while that stays the same.
Result<void> Daemon::prepare(VifId id, Device& device) {
  auto keys = xenstore::read_directory(store_, device.backend);
  if (!keys) return tl::unexpected(keys.error());
  auto config = xenstore::parse_vif_config(id, *keys);
  if (!config) return tl::unexpected(config.error());
  config->hotplug_status.clear();  // no part of what the vif is
  if (device.vif && device.vif->config() == *config) return {};
  if (device.vif) device.vif->give_up_tap();
  device.vif.reset();  // its tap's name is free again
  auto vif = std::make_unique<Vif>(*config, workers_);
  if (config->port == xenstore::PortKind::software_switch) {
    vif->join(switches_.get(config->switch_name));
  } else if (auto made = vif->make_tap(links_); !made) {
    return made;
  }
  device.vif = std::move(vif);
  switches_.drop_empty();  // it may have been on another one
  return {};
}

Result<void> Daemon::offer(VifId id, Device& device) {
  // The network device is there before InitWait is: the toolstack runs its script on it then (note
  // 31).
  if (auto prepared = prepare(id, device); !prepared) return prepared;
  const auto& config = device.vif->config();
  xenstore::BackendFeatures features;
  features.max_queues = config.max_queues;
  spdlog::info(
      "{}: offered to domain {}, {}", xenstore::device_name(id), id.domain,
      config.port == xenstore::PortKind::tap ? "by a tap" : "on switch " + config.switch_name);
  auto keys = print(features);
  keys["state"] = state_text(XenbusState::init_wait);
  return write_if_there(device, keys);
}

Result<void> Daemon::connect(VifId id, Device& device) {
  // A daemon before this one may have made the offer.
  if (auto prepared = prepare(id, device); !prepared) return prepared;
  auto keys = xenstore::read_directory(store_, device.frontend);
  if (!keys) return tl::unexpected(keys.error());
  auto frontend = xenstore::parse_frontend_keys(*keys, device.vif->config().max_queues);
  if (!frontend) return tl::unexpected(frontend.error());
  return device.vif->connect(*frontend);
}

void Daemon::say(Device& device, XenbusState state) {
  if (const auto said = write_if_there(device, {{"state", state_text(state)}}); !said)
    spdlog::error("{}", said.error().what);
}

// What the guest itself is to blame for.
void Daemon::refuse(VifId id, Device& device, const std::string& what) {
  report(id, device, what);
  device.backoff.refused(Backoff::Clock::now());
}

// Where an operator looks: the log, and the device's error node.
void Daemon::report(VifId id, Device& device, const std::string& what) {
  spdlog::error("{}: {}", xenstore::device_name(id), what);
  if (const auto written = write_if_there(device, {{"error", what}}); !written)
    spdlog::error("{}", written.error().what);
}

// Writes keys below BE, all or none, unless the device has vanished: it is never made again (note
// 35).
Result<void> Daemon::write_if_there(const Device& device, const xenstore::Keys& keys) {
  return store_.transact([&](xenstore::Transaction& transaction) -> Result<void> {
    auto exists = transaction.read(device.backend + "/state");
    if (!exists) return tl::unexpected(exists.error());
    if (!*exists) return {};
    for (const auto& [key, value] : keys) {
      const std::string path = device.backend + "/" + key;
      auto present = transaction.read(path);
      if (!present) return tl::unexpected(present.error());
      if (*present == value) continue;  // who watches it is not disturbed: a restart is unnoticed
      if (auto written = transaction.write(path, value); !written) return written;
    }
    return {};
  });
}

void Daemon::worker_reports() {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(reports_.get(), &count, sizeof count);
  for (const auto& worker : workers_) {
    while (const auto told = worker->next_report()) {
      for (auto& [id, device] : devices_) {
        if (!device.vif || !device.vif->owns(told->task)) continue;
        refuse(id, device, fmt::format("the guest broke the protocol: {}", told->reason));
        act(id, device, device.handshake.condemn());
        break;
      }
    }
  }
}

void Daemon::log_statistics() const {
  for (const auto& [id, device] : devices_) {
    if (device.vif)
      spdlog::info("{}: statistics {}", xenstore::device_name(id),
                   summary(device.vif->statistics()));
  }
  switches_.for_each_uplink([](const std::string& name, const Uplink& uplink) {
    Vif::Statistics statistics;
    statistics.tx.add(uplink.tx_counters());
    statistics.rx.add(uplink.rx_counters());
    spdlog::info("switch {}: uplink: statistics {}", name, summary(statistics));
  });
}

}  // namespace ringback::backend
