// Where a vif lies below the backend's directory: "<domid>/<devid>", and whatever comes behind it.
// Pure.
#pragma once

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "xenstore/vif_keys.hpp"

namespace ringback::backend {

inline std::string path_of(xenstore::VifId id) {
  return fmt::format("{}/{}", id.domain, id.device);
}

// Nothing for a path that is too short or not of numbers: not of one vif.
inline std::optional<xenstore::VifId> vif_of(std::string_view path) {
  xenstore::VifId id;
  const char* const end = path.data() + path.size();
  const auto domain = std::from_chars(path.data(), end, id.domain);
  if (domain.ec != std::errc() || domain.ptr == end || *domain.ptr != '/') return std::nullopt;
  const auto device = std::from_chars(domain.ptr + 1, end, id.device);
  if (device.ec != std::errc() || (device.ptr != end && *device.ptr != '/')) return std::nullopt;
  return id;
}

// The vif whose device_name() that is.
inline std::optional<xenstore::VifId> vif_named(std::string_view name) {
  std::string path(name.substr(std::min<std::size_t>(name.size(), 3)));
  if (const auto dot = path.find('.'); dot != std::string::npos) path[dot] = '/';
  const auto id = vif_of(path);
  return id && xenstore::device_name(*id) == name ? id : std::nullopt;
}

// As what a vif's tap is kept (hypervisor/kept_taps.hpp).
inline constexpr std::string_view kept_as_prefix = "vif ";
inline std::string kept_as(xenstore::VifId id) {
  return std::string(kept_as_prefix) + path_of(id);
}

}  // namespace ringback::backend
