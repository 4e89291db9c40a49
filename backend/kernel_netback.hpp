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
  bool has(xenstore::VifId id) const {
    return exists(bus_ / "devices" / fmt::format("vif-{}-{}", id.domain, id.device) / "driver");
  }

 private:
  static bool exists(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }
  const std::filesystem::path bus_;
};

}  // namespace ringback::backend
