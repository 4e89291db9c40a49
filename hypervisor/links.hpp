// The network devices of the present network namespace, by rtnetlink (libnl-route). Any thread, one
// at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hypervisor/result.hpp"

struct nl_sock;

namespace ringback::hypervisor {

struct Link {
  std::string name;
  std::string alias;  // free text that stays with the device, also when it is renamed
  bool tap = false;
};

class Links {
 public:
  static Result<Links> open();

  Result<std::vector<Link>> list();
  // A device of that name; with no alias the name is all that is known of it.
  Result<void> set_alias(const std::string& name, const std::string& alias);
  Result<void> remove(const std::string& name);

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit Links(nl_sock* socket) : socket_(socket) {}
  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace ringback::hypervisor
