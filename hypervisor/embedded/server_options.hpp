// What the server's owner decides, and where in its directory the sockets are.
#pragma once

#include <functional>
#include <string>

#include "hypervisor/result.hpp"
#include "hypervisor/types.hpp"

namespace ringback::hypervisor::embedded {

struct ServerOptions {
  std::string directory;
  std::uint32_t pages = 262144;  // of a domain: 1 GiB
  // Called with the domain's folder there, before and after its sockets are; an error refuses the
  // domain. Domain 0 is made when the server opens and lives as long as it does; the others live as
  // long as a command of theirs.
  std::function<Result<void>(DomainId)> on_domain_created = [](DomainId) { return Result<void>(); };
  std::function<void(DomainId)> on_domain_destroyed = [](DomainId) {};
};

inline std::string control_path(const std::string& directory) {
  return directory + "/control";
}
inline std::string domain_directory(const std::string& directory, DomainId domain) {
  return directory + "/domain-" + std::to_string(domain);
}
inline std::string hypervisor_path(const std::string& directory, DomainId domain) {
  return domain_directory(directory, domain) + "/hypervisor";
}

}  // namespace ringback::hypervisor::embedded
