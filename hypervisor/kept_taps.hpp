// Taps that outlive the process that made them, with their addresses and their place in a bridge.
// Each is known by its alias, whatever its name is by then: "ringback vif 3/0", and " of OWNER"
// behind it where there is an owner.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hypervisor/links.hpp"
#include "hypervisor/tap.hpp"

namespace ringback::hypervisor {

class KeptTaps {
 public:
  // owner: tells apart those who keep taps in one network namespace.
  KeptTaps(Links links, const std::string& owner)
      : links_(std::move(links)), suffix_(owner.empty() ? "" : " of " + owner) {}

  struct Kept {
    std::string what;  // "vif 3/0"
    std::string name;  // of the device
  };
  Result<std::vector<Kept>> list();

  // The kept tap of that alias; where there is none, a new one of that name, which `furnish` makes
  // ready before it is kept. A device that is somebody else's is an error. Queues as Tap::open().
  Result<Tap> open(
      const std::string& what, const std::string& name, std::size_t queues,
      const std::function<Result<void>(Tap&)>& furnish = [](Tap&) { return Result<void>(); });
  // Nothing happens where there is none.
  Result<void> remove(const std::string& what);

 private:
  Result<std::string> name_of(const std::string& what);

  Links links_;
  const std::string suffix_;
};

}  // namespace ringback::hypervisor
