#include "backend/control/vif_list.hpp"

#include <fmt/format.h>

#include "xenstore/handshake.hpp"
#include "xenstore/key_reader.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::backend::control {
namespace {

std::string value_or(const xenstore::Keys& keys, std::string_view key, const std::string& otherwise) {
  const auto found = keys.find(key);
  return found == keys.end() ? otherwise : found->second;
}

std::string port_of(xenstore::VifId id, const xenstore::Keys& backend) {
  const auto config = xenstore::parse_vif_config(id, backend);
  if (!config) return "?";
  if (config->port == xenstore::PortKind::software_switch) return "switch " + config->switch_name;
  return "tap " + (config->vifname.empty() ? xenstore::device_name(id) : config->vifname);
}

Result<nlohmann::json> describe(xenstore::Store& store, const std::string& path, const std::string& backend_domain,
                                xenstore::VifId id) {
  const auto backend = xenstore::read_directory(store, path);
  if (!backend) return tl::unexpected(backend.error());
  const auto frontend = xenstore::read_directory(store, value_or(*backend, "frontend", xenstore::frontend_path(id)));
  if (!frontend) return tl::unexpected(frontend.error());
  const auto state = [](const xenstore::Keys& keys) {
    const auto found = keys.find("state");
    if (found == keys.end()) return std::string("gone");
    return std::string(name(xenstore::parse_xenbus_state(found->second)));
  };
  return nlohmann::json{{"domain", id.domain},
                        {"device", id.device},
                        {"backend", std::stoul(backend_domain)},
                        {"mac", value_or(*backend, "mac", "?")},
                        {"state", state(*backend)},
                        {"frontend_state", state(*frontend)},
                        {"port", port_of(id, *backend)},
                        {"queues", value_or(*frontend, "multi-queue-num-queues", "1")},
                        {"error", value_or(*backend, "error", "")}};
}

}  // namespace

Result<nlohmann::json> list_vifs(xenstore::Store& store) {
  nlohmann::json vifs = nlohmann::json::array();
  const auto backends = store.list("/local/domain");
  if (!backends) return tl::unexpected(backends.error());
  for (const auto& backend : *backends) {
    const std::string root = fmt::format("/local/domain/{}/backend/vif", backend);
    const auto domains = store.list(root);
    if (!domains) return tl::unexpected(domains.error());
    for (const auto& domain : *domains) {
      const auto devices = store.list(root + "/" + domain);
      if (!devices) return tl::unexpected(devices.error());
      for (const auto& device : *devices) {
        const xenstore::VifId id{.domain = static_cast<hypervisor::DomainId>(std::strtoul(domain.c_str(), nullptr, 10)),
                                 .device = static_cast<std::uint32_t>(std::strtoul(device.c_str(), nullptr, 10))};
        auto vif = describe(store, fmt::format("{}/{}/{}", root, domain, device), backend, id);
        if (!vif) return vif;
        vifs.push_back(std::move(*vif));
      }
    }
  }
  return vifs;
}

std::string as_table(const nlohmann::json& vifs) {
  std::string table = fmt::format("{:>5} {:>5}  {:<17}  {:<12}  {:<12}  {:>6}  {}\n", "DOMID", "DEVID", "MAC", "FRONTEND",
                                  "BACKEND", "QUEUES", "PORT");
  for (const auto& vif : vifs) {
    const auto text = [&](const char* key) { return vif[key].get<std::string>(); };
    table += fmt::format("{:>5} {:>5}  {:<17}  {:<12}  {:<12}  {:>6}  {}{}\n", vif["domain"].get<unsigned>(),
                         vif["device"].get<unsigned>(), text("mac"), text("frontend_state"), text("state"),
                         text("queues"), text("port"), text("error").empty() ? "" : "  error: " + text("error"));
  }
  return table;
}

}  // namespace ringback::backend::control
