// Whether Linux's own netback has a vif: then it is not ours. (Linux's Documentation/ABI: every
// device of a bus is a link in sysfs, and one that has a driver links to it.)
#pragma once

#include <fmt/format.h>

#include <filesystem>

#include "xenstore/vif_keys.hpp"

namespace ringback::backend {

class KernelNetback {
 public:
  // bus: /sys/bus/xen-backend, or a test's. Where there is none, nothing is the kernel's.
  explicit KernelNetback(std::filesystem::path bus = "/sys/bus/xen-backend")
      : bus_(std::move(bus)) {}

  // The module xen-netback: it takes every vif that appears.
  bool loaded() const { return exists(bus_ / "drivers" / "vif"); }
  // Whether it has heard of the vif, which is a moment after xenstore has it; and whether it has
  // it.
  bool knows(xenstore::VifId id) const { return exists(device(id)); }
  bool has(xenstore::VifId id) const { return exists(device(id) / "driver"); }

 private:
  std::filesystem::path device(xenstore::VifId id) const {
    return bus_ / "devices" / fmt::format("vif-{}-{}", id.domain, id.device);
  }
  static bool exists(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }
  const std::filesystem::path bus_;
};

}  // namespace ringback::backend
