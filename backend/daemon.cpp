#include "backend/daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "backend/statistics.hpp"
#include "backend/vif_path.hpp"

namespace ringback::backend {

using hypervisor::EventLoop;
using xenstore::VifId;

namespace {
// The token of the watch on all vifs; a vif's own is its path.
constexpr const char* root_token = "backend";
constexpr const char* switches_token = "switches";
// Taken at one go, so that a guest that writes without end keeps nothing else from being done.
constexpr int most_events = 4096;
constexpr auto kernel_time = std::chrono::milliseconds(500);
constexpr EventLoop::Clock::duration store_time = std::chrono::seconds(1);
// Where it takes longer to take all vifs over, or to give them up, those that are there go on.
constexpr EventLoop::Clock::duration longest_hold = std::chrono::seconds(2);
constexpr EventLoop::Clock::duration switch_time = std::chrono::milliseconds(300);
constexpr EventLoop::Clock::duration longest_switch_wait = std::chrono::seconds(10);

// Two daemons would take each other's vifs. A lock goes with its process, however that ends; this
// file is root's alone to lock. With another store than Xen's the daemon is that store's, and locks
// its folder.
Result<hypervisor::Descriptor> only_one() {
  const std::string store = xenstore::Store::folder();
  const std::string place = store.empty() ? "/run/ringbackd.lock" : store;
  const int flags = store.empty() ? O_RDWR | O_CREAT | O_NOFOLLOW : O_RDONLY | O_DIRECTORY;
  hypervisor::Descriptor held(::open(place.c_str(), flags | O_CLOEXEC, 0600));
  if (!held) return system_failure(fmt::format("cannot open {} (is this run as root?)", place));
  if (flock(held.get(), LOCK_EX | LOCK_NB) == 0) return held;
  if (errno != EWOULDBLOCK) return system_failure("cannot lock " + place);
  return failure(EADDRINUSE,
                 "another ringbackd serves this domain's vifs already: end it first (its guests "
                 "won't notice)");
}

// Of the rings' kept memory; likewise.
std::string memory_folder() {
  const std::string store = xenstore::Store::folder();
  return store.empty() ? "/run/ringbackd" : store + "/ringbackd";
}

// Beside the embedded hypervisor whoever is waited for needs one of this machine's processors. On
// Xen guests have their own, and what a sleep costs (the peer's notification, the wake-up, to
// collect the event, to arm) is some wake-ups; but others in this domain never wait longer than
// 1 ms for a worker that only looks.
PollWindow::Clock::duration longest_poll(Worker& worker) {
  using std::chrono::microseconds;
  if (xenstore::Store::folder().empty())
    return std::min<PollWindow::Clock::duration>(4 * worker.wake_up_time(), microseconds(1000));
  cpu_set_t processors;
  const bool several =
      sched_getaffinity(0, sizeof processors, &processors) != 0 || CPU_COUNT(&processors) > 1;
  return microseconds(several ? 50 : 0);
}
}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(std::size_t workers, hypervisor::Io::Kind io) {
  auto loop = EventLoop::open();
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
      taps_(std::move(links), xenstore::Store::folder()),
      kept_(memory_folder()),
      own_(own),
      root_(fmt::format("/local/domain/{}/backend/vif", own)),
      switch_wait_(switch_time) {}

Daemon::~Daemon() {
  // The traffic of the last would keep the processors from this.
  for (const auto& worker : workers_) worker->hold(longest_hold);
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
    if (i == 0) longest_poll_ = longest_poll(*workers_.front());
    workers_.back()->set_longest_poll(longest_poll_);
  }
  for (const auto& worker : workers_) worker->hold(longest_hold);
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
  if (auto watched = store_.watch(switches_.keys(), switches_token); !watched) return watched;
  // One watch for all that the toolstack writes; a second one per vif for its frontend's state. It
  // fires at once, and all vifs are looked for.
  return store_.watch(root_, root_token);
}

Result<void> Daemon::run() {
  spdlog::info("serving the vifs below {} with {} worker{} and {}", root_, workers_.size(),
               workers_.size() == 1 ? "" : "s", workers_.front()->io_name());
  spdlog::info("a worker that has no work sleeps after {} us at most",
               std::chrono::duration_cast<std::chrono::microseconds>(longest_poll_).count());
  if (kernel_netback_.loaded())
    spdlog::warn(
        "the kernel's netback is loaded and takes every new vif; unload xen-netback and keep it "
        "away (/etc/modprobe.d: install xen-netback /bin/false) for this daemon to serve them");
  if (auto ran = loop_->run(); !ran) return ran;
  log_statistics();
  if (ended_by_.code != 0) return tl::unexpected(ended_by_);
  return {};
}

// Takes what has happened first, then looks at each vif once, however often its guest has written.
// What a guest writes below its state is no news.
void Daemon::store_events() {
  std::set<VifId> touched;
  std::set<VifId> with_policy;
  bool switches = false;
  bool all = false;
  for (int taken = 0; taken < most_events; ++taken) {
    const auto event = store_.next_event();
    if (!event) return lose_store(event.error());
    if (!*event) break;
    const auto& [path, token] = **event;
    if (token == root_token) {
      const auto id =
          vif_of(std::string_view(path).substr(std::min(path.size(), root_.size() + 1)));
      if (id) touched.insert(*id);
      if (id && (path.ends_with("/vlan") || path.find("/ringback") != std::string::npos))
        with_policy.insert(*id);
      all |= !id;
    } else if (token == switches_token) {
      switches = true;
    } else if (const auto id = vif_of(token); id && path.ends_with("/state")) {
      touched.insert(*id);
    }
  }
  // First: a switch that a vif below is the first to name reads its keys itself.
  if (switches) switches_.follow_policies();
  if (all) touched.merge(all_vifs());
  for (const VifId id : touched) look_at(id);
  for (const VifId id : with_policy)
    if (const auto found = devices_.find(id); found != devices_.end())
      found->second.follow_policy();
  if (all && !std::exchange(scanned_, true)) {
    remove_orphans();
    for (const auto& [id, device] : devices_) to_take_over_.insert(id);  // known, not yet looked at
  } else {
    for (const VifId id : touched) to_take_over_.erase(id);
  }
  if (scanned_ && to_take_over_.empty() && !std::exchange(serving_, true)) begin_to_serve();
  look_after_switches();
}

void Daemon::begin_to_serve() {
  for (const auto& worker : workers_) worker->go_on();
  if (!devices_.empty())
    spdlog::info("looked at all vifs that were there ({}): serving begins", devices_.size());
}

// What moves frames needs no store, and guests keep their network as with the kernel's netback. (An
// embedded hypervisor has gone with its store; and if a device fails it is this process that has to
// open it again.) The next daemon takes over from a store that knows the vifs again: another would
// have it remove what they have.
void Daemon::lose_store(const Error& why) {
  lost_ = why;
  loop_->remove(store_.fd());
  if (!store_.can_break() || !xenstore::Store::folder().empty()) {
    ended_by_ = why;
    return loop_->stop();
  }
  spdlog::warn("{}: the vifs that are connected go on, and nothing else is done until it is back",
               why.what);
  look_for_store(false);
}

void Daemon::look_for_store(bool told) {
  auto store = xenstore::Store::open();
  if (store && store->can_break()) {
    const auto has = [&](const auto& known) {
      const auto there = store->read(xenstore::backend_path(own_, known.first) + "/frontend");
      return there && *there;
    };
    if (devices_.empty() || std::ranges::any_of(devices_, has)) {
      ended_by_ = lost_;
      return loop_->stop();
    }
    if (!std::exchange(told, true))
      spdlog::warn(
          "there is a store that knows none of the vifs served here: start this daemon anew once "
          "their guests have gone, for new ones to be served");
  }
  loop_->after(store_time, [this, told] { look_for_store(told); });
}

// A device may not be there yet, or be given back by the kernel some time after its last user has
// gone; and of one that goes nobody tells.
void Daemon::look_after_switches() {
  if (lost_.code != 0) return;
  if (!switches_.wants_look() || std::exchange(looking_after_switches_, true)) return;
  loop_->after(switch_wait_, [this] {
    looking_after_switches_ = false;
    if (lost_.code != 0) return;
    // To try to take a device costs memory and time: ever less often, where it is in vain.
    switch_wait_ = switches_.look() ? switch_time : std::min(2 * switch_wait_, longest_switch_wait);
    look_after_switches();
  });
}

// When the whole tree, or a domain's part of it, was made or removed at once: those that are there,
// and those known here, which may have gone.
std::set<VifId> Daemon::all_vifs() {
  std::set<VifId> vifs;
  for (const auto& [id, device] : devices_) vifs.insert(id);
  bool all = true;
  const auto list = [&](const std::string& path) {
    auto names = store_.list(path);
    if (!names) spdlog::error("{} (tried again)", names.error().what);
    all &= names.has_value();
    return names.value_or(std::vector<std::string>());
  };
  for (const auto& domain : list(root_))
    for (const auto& handle : list(root_ + "/" + domain))
      if (const auto id = vif_of(domain + "/" + handle)) vifs.insert(*id);
  if (all || std::exchange(lists_later_, true)) return vifs;
  loop_->after(store_time, [this] {
    lists_later_ = false;
    if (lost_.code != 0) return;
    for (const VifId id : all_vifs()) look_at(id);
  });
  return vifs;
}

// A store that does not answer is no reason to take a guest's tap, nor what is kept of its rings.
bool Daemon::has_gone(VifId id) {
  if (devices_.contains(id)) return false;
  const auto frontend = store_.read(xenstore::backend_path(own_, id) + "/frontend");
  return frontend && !*frontend;
}

// Of vifs that went while no daemon ran, or before this one had made use of them.
void Daemon::remove_orphans() {
  const auto kept = kept_.list();
  if (!kept) spdlog::error("{}", kept.error().what);
  for (const auto& name : kept.value_or(std::vector<std::string>()))
    if (const auto id = vif_named(name); id && has_gone(*id)) kept_.remove(name);
  const auto taps = taps_.list();
  if (!taps) return spdlog::error("{}", taps.error().what);
  for (const auto& tap : *taps) {
    if (!tap.what.starts_with(kept_as_prefix)) continue;
    const auto id = vif_of(std::string_view(tap.what).substr(kept_as_prefix.size()));
    if (id && has_gone(*id) && remove_what_is_left_of(*id))
      spdlog::info("removed {}, whose vif has gone", tap.name);
  }
}

bool Daemon::remove_what_is_left_of(VifId id) {
  kept_.remove(xenstore::device_name(id));
  const auto removed = taps_.remove(kept_as(id));
  if (!removed) spdlog::error("{}", removed.error().what);
  return removed.has_value();
}

void Daemon::look_at(VifId id) {
  if (lost_.code != 0) return;
  auto found = devices_.find(id);
  if (found == devices_.end()) {
    const std::string backend = xenstore::backend_path(own_, id);
    const auto frontend = store_.read(backend + "/frontend");
    if (!frontend) {
      spdlog::error("{}: {} (tried again)", xenstore::device_name(id), frontend.error().what);
      return look_later(id, store_time);
    }
    if (!*frontend) {  // not there, or not yet complete
      if (left_to_kernel_.erase(id) != 0) remove_what_is_left_of(id);
      return;
    }
    if (kernel_netback_.loaded() && !is_ours(id)) return;
    left_to_kernel_.erase(id);
    found = devices_.try_emplace(id, shared_, id, backend, **frontend).first;
    // Fires at once, and the device is looked at then.
    if (auto watched = store_.watch(found->second.frontend() + "/state", path_of(id)); !watched) {
      found->second.report(watched.error().what);
      devices_.erase(found);
      look_later(id, store_time);
    }
    return;
  }
  Device& device = found->second;
  if (const auto wait = device.look(); wait != EventLoop::Clock::duration{}) look_later(id, wait);
  if (device.gone()) {
    store_.unwatch(device.frontend() + "/state", path_of(id));
    devices_.erase(found);
  }
}

void Daemon::look_later(VifId id, EventLoop::Clock::duration wait) {
  const auto at = EventLoop::Clock::now() + wait;
  const auto [waits, fresh] = waiting_.try_emplace(id);
  if (!fresh && waits->second.at <= at) return;
  if (!fresh) loop_->cancel(waits->second.timer);
  waits->second = {at, loop_->after(wait, [this, id] {
                     waiting_.erase(id);
                     look_at(id);
                   })};
}

// While it is loaded the kernel's netback takes every vif that it hears of, sooner or later. Ours
// is what it has heard of and leaves alone.
bool Daemon::is_ours(VifId id) {
  const auto now = EventLoop::Clock::now();
  Left& left = left_to_kernel_.try_emplace(id, Left{now}).first->second;
  const bool has = kernel_netback_.has(id);
  if (has || !kernel_netback_.knows(id)) left.since = now;
  if (now - left.since >= kernel_time) return true;
  if (has && !std::exchange(left.told, true))
    spdlog::warn("{}: left to the kernel's netback, which has it", xenstore::device_name(id));
  if (!std::exchange(left.waiting, true)) {
    loop_->after(kernel_time, [this, id] {
      if (const auto found = left_to_kernel_.find(id); found != left_to_kernel_.end())
        found->second.waiting = false;
      look_at(id);
    });
  }
  return false;
}

void Daemon::worker_reports() {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(reports_.get(), &count, sizeof count);
  for (const auto& worker : workers_) {
    while (const auto told = worker->next_report()) {
      if (lost_.code != 0) continue;  // it stands still until the next daemon
      const auto blamed = std::ranges::find_if(devices_, [&](const auto& known) {
        return known.second.vif() != nullptr && known.second.vif()->owns(told->task);
      });
      if (blamed != devices_.end()) {
        blamed->second.found(told->fault);
        look_at(blamed->first);  // it may have to be looked at again
      }
      switches_.replace_uplink(told->task);
    }
  }
  look_after_switches();
}

void Daemon::log_statistics() const {
  for (const auto& [id, device] : devices_) {
    if (device.vif() != nullptr)
      spdlog::info("{}: statistics {}", xenstore::device_name(id),
                   summary(device.vif()->statistics()));
  }
  switches_.for_each_uplink([](const std::string& name, const Statistics& statistics) {
    spdlog::info("switch {}: uplink: statistics {}", name, summary(statistics));
  });
}

}  // namespace ringback::backend
