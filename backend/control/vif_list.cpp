#include "backend/control/vif_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "xenstore/key_reader.hpp"
#include "xenstore/number.hpp"

namespace ringback::control {

using xenstore::Keys;
using xenstore::Store;
using xenstore::XenbusState;

namespace {

// The children of a directory that are numbers.
template <class T>
Result<std::vector<T>> numbers_in(Store& store, const std::string& path) {
  const auto names = store.list(path);
  if (!names) return tl::unexpected(names.error());
  std::vector<T> numbers;
  for (const auto& name : *names) {
    if (const auto number = xenstore::parse_number<T>(path, name)) numbers.push_back(*number);
  }
  return numbers;
}

XenbusState state_in(const Keys& keys) {
  const auto at = keys.find("state");
  return at == keys.end() ? XenbusState::unknown : xenstore::parse_xenbus_state(at->second);
}

std::string port_of(const xenstore::VifConfig& config) {
  if (config.port == xenstore::PortKind::software_switch) return "switch " + config.switch_name;
  return config.vifname.empty() ? device_name(config.id) : config.vifname;
}

}  // namespace

Result<std::vector<VifPlace>> find_vifs(Store& store) {
  std::vector<VifPlace> places;
  auto backends = numbers_in<DomainId>(store, "/local/domain");
  // Only dom0 may list all; a driver domain lists its own.
  if (!backends && backends.error().code == EACCES)
    backends = store.own_domain().map([](DomainId own) { return std::vector<DomainId>{own}; });
  if (!backends) return tl::unexpected(backends.error());
  for (const auto backend : *backends) {
    const auto root = fmt::format("/local/domain/{}/backend/vif", backend);
    const auto domains = numbers_in<DomainId>(store, root);
    if (!domains) return tl::unexpected(domains.error());
    for (const auto domain : *domains) {
      const auto devices = numbers_in<std::uint32_t>(store, fmt::format("{}/{}", root, domain));
      if (!devices) return tl::unexpected(devices.error());
      for (const auto device : *devices) places.push_back({backend, {domain, device}});
    }
  }
  std::ranges::sort(places);
  return places;
}

VifRow make_row(const VifPlace& place, const Keys& backend, const Keys& frontend) {
  VifRow row;
  row.place = place;
  row.backend = state_in(backend);
  row.frontend = state_in(frontend);
  const auto config = xenstore::parse_vif_config(place.id, backend);
  if (!config) {
    row.mac = "-";
    row.port = config.error().what;
    return row;
  }
  row.mac = xenstore::to_string(config->mac);
  row.port = port_of(*config);
  if (row.backend == XenbusState::connected) {
    const auto keys = xenstore::parse_backend_features(backend).and_then([&](const auto& offer) {
      return xenstore::parse_frontend_keys(frontend, offer.max_queues);
    });
    if (keys) row.queues = keys->queues.size();
  }
  return row;
}

Result<std::vector<VifRow>> list_vifs(Store& store) {
  const auto places = find_vifs(store);
  if (!places) return tl::unexpected(places.error());
  std::vector<VifRow> rows;
  for (const auto& place : *places) {
    const auto backend = read_directory(store, backend_path(place.backend, place.id));
    if (!backend) return tl::unexpected(backend.error());
    if (backend->empty()) continue;  // it has gone meanwhile
    // A guest's directory may be unreadable or too large; that is no reason not to list the others.
    rows.push_back(
        make_row(place, *backend, read_directory(store, frontend_path(place.id)).value_or(Keys())));
  }
  return rows;
}

std::string to_table(const std::vector<VifRow>& rows) {
  using Line = std::array<std::string, 7>;
  std::vector<Line> lines = {{"domid", "devid", "backend", "mac", "front/back", "queues", "port"}};
  for (const auto& row : rows) {
    lines.push_back({fmt::to_string(row.place.id.domain), fmt::to_string(row.place.id.device),
                     fmt::to_string(row.place.backend), row.mac,
                     fmt::format("{}/{}", name(row.frontend), name(row.backend)),
                     fmt::to_string(row.queues), row.port});
  }
  std::array<std::size_t, 7> widths{};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string table;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      table += fmt::format("{:<{}}  ", line[i], widths[i]);
    }
    table += line.back() + "\n";
  }
  return table;
}

nlohmann::ordered_json to_json(const std::vector<VifRow>& rows) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& row : rows) {
    list.push_back({{"domid", row.place.id.domain},
                    {"devid", row.place.id.device},
                    {"backend_domid", row.place.backend},
                    {"mac", row.mac},
                    {"frontend_state", name(row.frontend)},
                    {"backend_state", name(row.backend)},
                    {"queues", row.queues},
                    {"port", row.port}});
  }
  return list;
}

}  // namespace ringback::control
