#include "backend/control/toolstack.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "backend/control/hotplug.hpp"
#include "xenstore/handshake.hpp"

namespace ringback::backend::control {

using std::chrono::milliseconds;
using xenstore::Keys;
using xenstore::Permission;
using xenstore::Transaction;
using xenstore::VifId;
using xenstore::XenbusState;

namespace {

constexpr milliseconds backend_limit(10'000);  // libxl's patience with a backend
constexpr const char* switch_script = "/etc/xen/scripts/vif-ringback";
constexpr const char* bridge_script = "/etc/xen/scripts/vif-bridge";

xenstore::Mac random_mac() {
  std::random_device random;
  const auto byte = [&] { return static_cast<std::uint8_t>(random()); };
  return {0x00, 0x16, 0x3e, static_cast<std::uint8_t>(byte() & 0x7f), byte(), byte()};
}

std::string script_of(const AttachOptions& options) {
  if (!options.switch_name.empty()) return switch_script;
  if (!options.script.empty() || options.bridge.empty()) return options.script;
  return access(bridge_script, X_OK) == 0 ? bridge_script : "";
}

Result<void> write_directory(Transaction& transaction, const std::string& path, const Keys& keys,
                             const std::vector<Permission>& permissions) {
  if (auto made = transaction.make_directory(path); !made) return made;
  if (auto set = transaction.set_permissions(path, permissions); !set) return set;
  for (const auto& [key, value] : keys) {
    if (auto written = transaction.write(path + "/" + key, value); !written) return written;
  }
  return {};
}

Result<VifId> write_keys(xenstore::Store& store, const AttachOptions& options) {
  const std::string mac = xenstore::to_string(options.mac.value_or(random_mac()));
  VifId id{.domain = options.domain, .device = options.device.value_or(0)};
  const auto written = store.transact([&](Transaction& transaction) -> Result<void> {
    const std::string domain = fmt::format("/local/domain/{}", id.domain);
    auto exists = transaction.read(domain);
    if (!exists) return tl::unexpected(exists.error());
    if (!*exists)
      return failure(ENOENT, fmt::format("domain {} does not exist; start it first", id.domain));
    if (!options.device) {
      auto taken = transaction.list(domain + "/device/vif");
      if (!taken) return tl::unexpected(taken.error());
      for (id.device = 0; std::ranges::count(*taken, std::to_string(id.device)) > 0;) ++id.device;
    }
    const std::string backend = xenstore::backend_path(options.backend, id);
    const std::string frontend = xenstore::frontend_path(id);
    for (const auto& path : {backend, frontend}) {
      auto there = transaction.read(path);
      if (!there) return tl::unexpected(there.error());
      if (*there)
        return failure(EEXIST, fmt::format("{} exists already ({}); detach it first with `ringback vif detach {} {}`",
                                           xenstore::device_name(id), path, id.domain, id.device));
    }
    Keys be = {{"frontend", frontend},
               {"frontend-id", std::to_string(id.domain)},
               {"online", "1"},
               {"state", "1"},
               {"script", script_of(options)},
               {"mac", mac},
               {"bridge", options.switch_name.empty() ? options.bridge : options.switch_name},
               {"handle", std::to_string(id.device)},
               {"type", "vif"},
               {"hotplug-status", ""}};
    if (!options.vifname.empty()) be["vifname"] = options.vifname;
    if (options.rate) be["rate"] = xenstore::to_string(*options.rate);
    if (options.mtu) be["mtu"] = std::to_string(*options.mtu);
    if (options.max_queues) be["ringback/max-queues"] = std::to_string(*options.max_queues);
    const Keys fe = {{"backend", backend},
                     {"backend-id", std::to_string(options.backend)},
                     {"state", "1"},
                     {"handle", std::to_string(id.device)},
                     {"mac", mac},
                     {"trusted", "1"},
                     {"mtu", std::to_string(options.mtu.value_or(1500))}};
    const Permission none_of_backend{.domain = options.backend, .read = false, .write = false};
    const Permission none_of_guest{.domain = id.domain, .read = false, .write = false};
    auto frontend_made = write_directory(transaction, frontend, fe,
                                         {none_of_guest, {.domain = options.backend, .read = true, .write = false}});
    if (!frontend_made) return frontend_made;
    return write_directory(transaction, backend, be,
                           {none_of_backend, {.domain = id.domain, .read = true, .write = false}});
  });
  if (!written) return tl::unexpected(written.error());
  return id;
}

// Both directories, and what is empty above them, as libxl leaves it.
Result<void> remove_keys(xenstore::Store& store, const std::string& backend, const std::string& frontend) {
  return store.transact([&](Transaction& transaction) -> Result<void> {
    for (const auto& path : {frontend, backend}) {
      if (auto removed = transaction.remove(path); !removed) return removed;
      const std::string parent = path.substr(0, path.rfind('/'));
      auto left = transaction.list(parent);
      if (!left) return tl::unexpected(left.error());
      if (!left->empty()) continue;
      if (auto removed = transaction.remove(parent); !removed) return removed;
    }
    return {};
  });
}

Result<void> await_offer(xenstore::Store& store, const std::string& backend) {
  XenbusState state = XenbusState::unknown;
  const auto offered = wait_for(store, backend + "/state", backend_limit, [&](const auto& value) {
    state = xenstore::parse_xenbus_state(value);
    return state != XenbusState::unknown && state != XenbusState::initialising;
  });
  if (!offered) return tl::unexpected(offered.error());
  if (!*offered)
    return failure(ETIMEDOUT, fmt::format("no backend answered at {} within 10 s: is ringbackd running?", backend));
  if (state != XenbusState::closing && state != XenbusState::closed) return {};
  const auto why = store.read(backend + "/error");
  return failure(ECONNREFUSED, fmt::format("the backend refused the vif: {}",
                                           why && *why ? **why : "it left no reason in its error node"));
}

Result<void> hotplug(xenstore::Store& store, VifId id, const AttachOptions& options, const std::string& backend) {
  const std::string script = script_of(options);
  if (script.empty() || script == switch_script) return store.write(backend + "/hotplug-status", "connected");
  auto ran = run_hotplug_script(script, "online", backend, xenstore::device_name(id));
  const auto why = store.read(backend + "/hotplug-error");
  if (!ran && why && *why) return failure(ran.error().code, ran.error().what + ": " + **why);
  return ran;
}

}  // namespace

Result<bool> wait_for(xenstore::Store& store, const std::string& path, milliseconds limit,
                      const std::function<bool(const std::optional<std::string>&)>& done) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + limit;
  const std::string token = "wait";
  if (auto watched = store.watch(path, token); !watched) return tl::unexpected(watched.error());
  Result<bool> result = false;
  for (bool over = false; !over;) {
    const auto value = store.read(path);
    if (!value) {
      result = tl::unexpected(value.error());
      break;
    }
    if (done(*value)) {
      result = true;
      break;
    }
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    over = left.count() <= 0;
    pollfd ready{.fd = store.fd(), .events = POLLIN, .revents = 0};
    if (!over) poll(&ready, 1, static_cast<int>(left.count()));
    for (auto event = store.next_event(); event && *event;) event = store.next_event();
  }
  store.unwatch(path, token);
  return result;
}

Result<VifId> attach(xenstore::Store& store, const AttachOptions& options) {
  const auto id = write_keys(store, options);
  if (!id || !options.wait) return id;
  const std::string backend = xenstore::backend_path(options.backend, *id);
  auto ready = await_offer(store, backend);
  if (ready) ready = hotplug(store, *id, options, backend);
  if (ready) return id;
  const auto taken_back = detach(store, {.domain = id->domain, .device = id->device, .force = false});
  auto error = ready.error();
  if (!taken_back) error.what += "; and it could not be taken back: " + taken_back.error().what;
  return tl::unexpected(error);
}

Result<void> detach(xenstore::Store& store, const DetachOptions& options) {
  VifId id{.domain = options.domain, .device = options.device.value_or(0)};
  const std::string devices = fmt::format("/local/domain/{}/device/vif", id.domain);
  if (!options.device) {
    const auto there = store.list(devices);
    if (!there) return tl::unexpected(there.error());
    if (there->size() != 1)
      return failure(EINVAL, fmt::format("domain {} has {} vifs; name one: `ringback vif detach {} DEVID`", id.domain,
                                         there->size(), id.domain));
    id.device = static_cast<std::uint32_t>(std::strtoul(there->front().c_str(), nullptr, 10));
  }
  // The frontend's directory goes with its domain; then the backend is looked for in this domain.
  const std::string frontend = xenstore::frontend_path(id);
  const auto named = store.read(frontend + "/backend");
  if (!named) return tl::unexpected(named.error());
  const auto own = store.own_domain();
  const std::string backend = named->value_or(xenstore::backend_path(own.value_or(0), id));
  const auto exists = store.read(backend);
  if (!exists) return tl::unexpected(exists.error());
  if (!*exists && !*named)
    return failure(ENOENT, fmt::format("there is no {}; `ringback vif list` shows what there is", xenstore::device_name(id)));

  const auto asked = store.transact([&](Transaction& transaction) -> Result<void> {
    auto state = transaction.read(backend + "/state");
    if (!state) return tl::unexpected(state.error());
    if (!*state || **state == "6") return {};
    if (auto written = transaction.write(backend + "/online", "0"); !written) return written;
    return transaction.write(backend + "/state", "5");
  });
  if (!asked) return asked;
  if (!options.force) {
    const auto closed = wait_for(store, backend + "/state", backend_limit,
                                 [](const auto& value) { return !value || *value == "6"; });
    if (!closed) return tl::unexpected(closed.error());
    if (!*closed)
      return failure(ETIMEDOUT, fmt::format("{}: the backend did not close within 10 s; is ringbackd running? "
                                            "--force removes the vif all the same",
                                            xenstore::device_name(id)));
  }
  const auto script = store.read(backend + "/script");
  Result<void> ran;
  if (script && *script && !(*script)->empty() && access((*script)->c_str(), X_OK) == 0)
    ran = run_hotplug_script(**script, "offline", backend, xenstore::device_name(id));
  if (auto removed = remove_keys(store, backend, frontend); !removed) return removed;
  return ran;
}

}  // namespace ringback::backend::control
