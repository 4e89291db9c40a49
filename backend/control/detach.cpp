#include "backend/control/detach.hpp"

#include "backend/control/hotplug_script.hpp"
#include "backend/control/vif_list.hpp"

namespace ringback::control {

using xenstore::Store;
using xenstore::Transaction;
using xenstore::VifId;
using xenstore::XenbusState;

namespace {

Result<VifPlace> find(Store& store, const DetachOptions& options) {
  const auto places = find_vifs(store);
  if (!places) return tl::unexpected(places.error());
  std::vector<VifPlace> found;
  for (const auto& place : *places) {
    if (place.id.domain != options.domain) continue;
    if (!options.device || place.id.device == *options.device) found.push_back(place);
  }
  if (found.size() == 1) return found.front();
  if (!found.empty()) {
    return failure(EINVAL, "domain " + std::to_string(options.domain) + " has " +
                               std::to_string(found.size()) +
                               " vifs; say which (see `ringback vif list`)");
  }
  const auto what = options.device ? "vif " + std::to_string(*options.device) : "vif";
  return failure(ENOENT, "domain " + std::to_string(options.domain) + " has no " + what +
                             " (see `ringback vif list`)");
}

// A node that has vanished meanwhile is not made again.
Result<void> ask_to_close(Store& store, const std::string& path) {
  return store.transact([&](Transaction& transaction) -> Result<void> {
    const auto state = transaction.read(path + "/state");
    if (!state) return tl::unexpected(state.error());
    if (!*state) return {};
    if (auto written = transaction.write(path + "/online", "0"); !written) return written;
    if (xenstore::parse_xenbus_state(*state) == XenbusState::closed) return {};
    return transaction.write(path + "/state", "5");
  });
}

Result<void> remove_if_empty(Transaction& transaction, const std::string& path) {
  const auto names = transaction.list(path);
  if (!names) return tl::unexpected(names.error());
  return names->empty() ? transaction.remove(path) : Result<void>();
}

}  // namespace

std::string libxl_path(VifId id) {
  return "/libxl/" + std::to_string(id.domain) + "/device/vif/" + std::to_string(id.device);
}

Result<void> remove_keys(Store& store, DomainId backend, VifId id) {
  return store.transact([&](Transaction& transaction) -> Result<void> {
    for (const auto& path : {frontend_path(id), backend_path(backend, id), libxl_path(id)}) {
      if (auto removed = transaction.remove(path); !removed) return removed;
      if (auto removed = remove_if_empty(transaction, path.substr(0, path.rfind('/'))); !removed) {
        return removed;
      }
    }
    return {};
  });
}

Result<VifId> detach(Store& store, const DetachOptions& options) {
  const auto place = find(store, options);
  if (!place) return tl::unexpected(place.error());
  const auto own = store.own_domain();
  if (!own) return tl::unexpected(own.error());
  const auto path = backend_path(place->backend, place->id);
  const auto script = store.read(path + "/script");
  if (!script) return tl::unexpected(script.error());

  if (auto asked = ask_to_close(store, path); !asked) return tl::unexpected(asked.error());
  if (!options.force) {
    const auto has_closed = [](XenbusState state) {
      return state == XenbusState::closed || state == XenbusState::unknown;
    };
    const auto closed = wait_for_backend(store, path, has_closed, options.patience);
    if (!closed) return tl::unexpected(closed.error());
    if (!*closed) {
      return failure(ETIMEDOUT, "the backend did not close " + device_name(place->id) + " within " +
                                    std::to_string(options.patience.count() / 1000) +
                                    " s; is ringbackd running? --force removes the vif anyway");
    }
  }
  Result<void> ran;
  if (*script && **script != switch_script && place->backend == *own) {
    ran = run_script(**script, "offline", path, place->id);
  }
  if (auto removed = remove_keys(store, place->backend, place->id); !removed) {
    return tl::unexpected(removed.error());
  }
  if (!ran) return failure(ran.error().code, "detached, but " + ran.error().what);
  return place->id;
}

}  // namespace ringback::control
