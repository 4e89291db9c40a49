// `ringback vif list`: the vifs of every backend and how they are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backend/control/toolstack_keys.hpp"
#include "xenstore/handshake.hpp"
#include "xenstore/store.hpp"

namespace ringback::control {

struct VifPlace {
  DomainId backend = 0;
  xenstore::VifId id;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the compiler's own 0 for ours
  friend auto operator<=>(const VifPlace&, const VifPlace&) = default;
};

// By backend, domain and device.
Result<std::vector<VifPlace>> find_vifs(xenstore::Store& store);

struct VifRow {
  VifPlace place;
  std::string mac;   // "-" if its keys are bad
  std::string port;  // the tap's name, or "switch NAME", or what is wrong with the keys
  xenstore::XenbusState frontend{};
  xenstore::XenbusState backend{};
  std::size_t queues = 0;  // 0 unless connected
};

// Pure: what the keys of both sides say.
VifRow make_row(const VifPlace& place, const xenstore::Keys& backend,
                const xenstore::Keys& frontend);
Result<std::vector<VifRow>> list_vifs(xenstore::Store& store);

std::string to_table(const std::vector<VifRow>& rows);
nlohmann::ordered_json to_json(const std::vector<VifRow>& rows);

}  // namespace ringback::control
