#include "frontend/negotiation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "xenstore/number.hpp"

namespace ringback::frontend {
namespace {

Result<std::string> required(const xenstore::Keys& keys, std::string_view name) {
  const auto found = keys.find(name);
  if (found == keys.end())
    return failure(ENOENT, fmt::format("the frontend's directory has no {}", name));
  return found->second;
}

Result<xenstore::Mac> find_mac(const NetfrontOptions& options, const xenstore::Keys& frontend) {
  if (options.mac) return *options.mac;
  return required(frontend, "mac").and_then(xenstore::parse_mac);
}

Result<std::uint32_t> find_mtu(const NetfrontOptions& options, const xenstore::Keys& frontend) {
  if (options.mtu) return *options.mtu;
  const auto key = frontend.find("mtu");
  if (key == frontend.end()) return 1500;
  return xenstore::parse_number<std::uint32_t>("mtu", key->second, 68, 65535);
}

}  // namespace

Result<Negotiated> negotiate(const NetfrontOptions& options, const xenstore::Keys& frontend,
                             const xenstore::Keys& backend) {
  const auto backend_id = required(frontend, "backend-id").and_then([](const std::string& text) {
    return xenstore::parse_number<xenstore::DomainId>("backend-id", text);
  });
  if (!backend_id) return tl::unexpected(backend_id.error());
  const auto mac = find_mac(options, frontend);
  if (!mac) return tl::unexpected(mac.error());
  const auto mtu = find_mtu(options, frontend);
  if (!mtu) return tl::unexpected(mtu.error());
  const auto features = xenstore::parse_backend_features(backend);
  if (!features) return tl::unexpected(features.error());

  Negotiated result;
  result.backend_domain = *backend_id;
  result.mac = *mac;
  result.split_event_channels = features->split_event_channels;
  result.queues = std::clamp<std::uint32_t>(features->max_queues, 1, options.queues);
  if (options.offload) {
    result.own = {true, true, true, true, true};
    // A GSO frame is longer than a slot, and its checksum is never complete.
    const bool sg = features->sg;
    result.backend = {.scatter_gather = sg,
                      .checksum_v4 = features->checksum_v4,
                      .checksum_v6 = features->checksum_v6,
                      .gso_v4 = sg && features->checksum_v4 && features->gso_tcpv4,
                      .gso_v6 = sg && features->checksum_v6 && features->gso_tcpv6};
  }

  result.mtu = result.backend.scatter_gather ? *mtu : std::min(*mtu, std::uint32_t{1500});
  return result;
}

}  // namespace ringback::frontend
