#include "backend/control/attach.hpp"

#include <random>

#include "backend/control/detach.hpp"
#include "backend/control/hotplug_script.hpp"

namespace ringback::control {

using xenstore::Keys;
using xenstore::Permission;
using xenstore::Store;
using xenstore::Transaction;
using xenstore::XenbusState;

namespace {

Result<void> expect_domain(Store& store, DomainId domain) {
  const auto home = store.read("/local/domain/" + std::to_string(domain));
  if (!home) return tl::unexpected(home.error());
  if (*home) return {};
  std::string known;
  if (const auto domains = store.list("/local/domain")) {
    for (const auto& name : *domains) known += (known.empty() ? "" : ", ") + name;
  }
  return failure(ENOENT, "domain " + std::to_string(domain) +
                             " does not exist; there are: " + (known.empty() ? "none" : known));
}

Result<bool> exists(Transaction& transaction, const VifRequest& vif) {
  for (const auto& path : {backend_path(vif.backend, vif.id), frontend_path(vif.id)}) {
    const auto node = transaction.read(path);
    if (!node) return tl::unexpected(node.error());
    if (*node) return true;
  }
  return false;
}

Result<void> choose_device(Transaction& transaction, const std::optional<std::uint32_t>& wanted,
                           VifRequest& vif) {
  for (vif.id.device = wanted.value_or(0);; ++vif.id.device) {
    const auto taken = exists(transaction, vif);
    if (!taken) return tl::unexpected(taken.error());
    if (!*taken) return {};
    if (wanted) {
      return failure(EEXIST, device_name(vif.id) + " exists already; detach it first, or leave " +
                                 "--devid out to get the next free number");
    }
  }
}

Result<void> write_directory(Transaction& transaction, const std::string& path,
                             const std::vector<Permission>& permissions, const Keys& keys) {
  // What is made below inherits the permissions.
  if (auto made = transaction.make_directory(path); !made) return made;
  if (auto set = transaction.set_permissions(path, permissions); !set) return set;
  for (const auto& [key, value] : keys) {
    if (auto written = transaction.write(path + "/" + key, value); !written) return written;
  }
  return {};
}

// libxl's own notes on the device, so that `xl network-list` knows it and `xl destroy` removes it.
// Only for a domain that libxl made.
Result<void> write_libxl_notes(Transaction& transaction, const VifRequest& vif) {
  const auto domain = transaction.read("/libxl/" + std::to_string(vif.id.domain));
  if (!domain) return tl::unexpected(domain.error());
  if (!*domain) return {};
  auto keys = backend_keys(vif);
  keys["backend"] = backend_path(vif.backend, vif.id);
  for (const auto& [key, value] : keys) {
    auto written = transaction.write(libxl_path(vif.id) + "/" + key, value);
    if (!written) return written;
  }
  return {};
}

Result<void> write_keys(Store& store, const AttachOptions& options, VifRequest& vif) {
  const DomainId guest = vif.id.domain;
  return store.transact([&](Transaction& transaction) -> Result<void> {
    if (auto chosen = choose_device(transaction, options.device, vif); !chosen) return chosen;
    if (auto noted = write_libxl_notes(transaction, vif); !noted) return noted;
    auto written =
        write_directory(transaction, frontend_path(vif.id),
                        {{guest, false, false}, {vif.backend, true, false}}, frontend_keys(vif));
    if (!written) return written;
    return write_directory(transaction, backend_path(vif.backend, vif.id),
                           {{vif.backend, false, false}, {guest, true, false}}, backend_keys(vif));
  });
}

Result<void> expect_offer(Store& store, const VifRequest& vif, std::chrono::milliseconds patience) {
  const auto path = backend_path(vif.backend, vif.id);
  const auto answered = [](XenbusState state) { return state >= XenbusState::init_wait; };
  const auto state = wait_for_backend(store, path, answered, patience);
  if (!state) return tl::unexpected(state.error());
  if (!*state) {
    return failure(ETIMEDOUT, "no backend answered for " + device_name(vif.id) + " within " +
                                  std::to_string(patience.count() / 1000) +
                                  " s; is ringbackd running in domain " +
                                  std::to_string(vif.backend) + "?");
  }
  if (**state != XenbusState::closing && **state != XenbusState::closed) return {};
  const auto reason = store.read(path + "/error");
  return failure(EIO, "the backend refused " + device_name(vif.id) + ": " +
                          (reason && *reason ? **reason : "see its log"));
}

Result<void> run_online(Store& store, const VifRequest& vif) {
  const auto path = backend_path(vif.backend, vif.id);
  const auto ran = run_script(vif.script, "online", path, vif.id);
  const auto reason = store.read(path + "/hotplug-error");
  if (!ran)
    return failure(ran.error().code, ran.error().what + (reason && *reason ? ": " + **reason : ""));
  const auto status = store.read(path + "/hotplug-status");
  if (status && *status == "connected") return {};
  return failure(EIO,
                 vif.script + " online: ended well but left hotplug-status other than connected");
}

}  // namespace

xenstore::Mac random_mac() {
  std::random_device random;
  const auto byte = [&random](unsigned mask) { return static_cast<std::uint8_t>(random() & mask); };
  return {0x00, 0x16, 0x3e, byte(0x7f), byte(0xff), byte(0xff)};
}

Result<xenstore::VifId> attach(Store& store, const AttachOptions& options) {
  auto vif = options.vif;
  for (const DomainId domain : {vif.id.domain, vif.backend}) {
    if (auto known = expect_domain(store, domain); !known) return tl::unexpected(known.error());
  }
  const auto own = store.own_domain();
  if (!own) return tl::unexpected(own.error());
  const bool scripted = !vif.script.empty() && vif.script != switch_script;
  // The script of a driver domain is run there (xl devd).
  const bool run_here = scripted && vif.backend == *own;
  if (run_here && !options.wait) {
    return failure(EINVAL, "--no-wait: " + vif.script +
                               " needs the backend's network device, so it can't be run now");
  }
  vif.hotplug_connected = !scripted && !options.wait;

  if (auto written = write_keys(store, options, vif); !written) {
    return tl::unexpected(written.error());
  }
  if (!options.wait) return vif.id;
  auto done = expect_offer(store, vif, options.patience);
  if (done && run_here) done = run_online(store, vif);
  if (done && !scripted) {
    done = store.write(backend_path(vif.backend, vif.id) + "/hotplug-status", "connected");
  }
  if (done) return vif.id;
  (void)remove_keys(store, vif.backend, vif.id);
  return tl::unexpected(done.error());
}

}  // namespace ringback::control
