#include "xenstore/server/domain_directory.hpp"

#include "xenstore/server/operations.hpp"
#include "xenstore/server/path.hpp"

namespace ringback::xenstore::server {
namespace {

constexpr Caller toolstack{};  // domain 0

// Nothing here can fail: domain 0 has every right and no quota, and the paths are well-formed.
void make(View& nodes, const std::string& path, const Permissions& permissions) {
  (void)make_directory(nodes, toolstack, path);
  (void)set_permissions(nodes, toolstack, path, permissions);
}

}  // namespace

void make_domain_directory(View& nodes, DomainId domain) {
  const std::string home = home_of(domain);
  const auto put = [&](const char* key, const std::string& value) {
    (void)write(nodes, toolstack, home + "/" + key, value);
  };
  if (domain == 0) {  // xen-init-dom0
    put("domid", "0");
    put("name", "Domain-0");
    return;
  }
  const Permissions reads = {{0, no_rights}, {domain, may_read}};
  const Permissions owned = {{domain, no_rights}};
  remove_domain_directory(nodes, domain);
  make(nodes, home, reads);
  put("name", "domain-" + std::to_string(domain));
  for (const char* key : {"cpu", "memory", "device", "control"})
    make(nodes, home + "/" + key, reads);
  for (const char* key :
       {"device/suspend/event-channel", "control/shutdown", "control/feature-poweroff",
        "control/feature-reboot", "control/feature-suspend", "control/sysrq", "data", "drivers",
        "feature", "attr", "error"})
    make(nodes, home + "/" + key, owned);
  put("control/platform-feature-multiprocessor-suspend", "1");
  put("control/platform-feature-xs_reset_watches", "1");
  put("domid", std::to_string(domain));
}

void remove_domain_directory(View& nodes, DomainId domain) {
  (void)remove(nodes, toolstack, home_of(domain));
}

}  // namespace ringback::xenstore::server
