// A hypervisor in one process and one thread, for tests of what stands on the seam: the grants and
// event channels of any number of domains, and faults on demand. Semantics only as far as the seam
// shows them; the embedded hypervisor is the faithful one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "hypervisor/event_channels.hpp"
#include "hypervisor/grants.hpp"

namespace ringback::hypervisor {

class Simulated {
 public:
  // Each is a handle of that domain; the Simulated outlives them.
  std::unique_ptr<EventChannels> event_channels(DomainId domain);
  std::unique_ptr<GrantUser> grant_user(DomainId domain);
  std::unique_ptr<GrantSharer> grant_sharer(DomainId domain);

  // From now on nobody can use what this ref grants.
  void revoke(DomainId domain, GrantRef ref) { grants_.erase({domain, ref}); }
  std::size_t grants() const { return grants_.size(); }
  std::size_t mappings() const { return mappings_; }
  // Pieces that copies were cut into so far, so that none crosses a page on either side.
  std::size_t pieces_copied() const { return pieces_copied_; }
  std::size_t notifications(DomainId domain, Port port) {
    return channels_[{domain, port}].notified;
  }

 private:
  friend class SimulatedEventChannels;
  friend class SimulatedGrantUser;
  friend class SimulatedGrantSharer;
  struct Channel {
    DomainId remote = 0;
    Port remote_port = 0;  // 0: unbound
    bool pending = false;
    bool masked = false;
    std::size_t notified = 0;
  };
  struct Grant {
    DomainId to;
    Access access;
    std::byte* page;
  };
  std::byte* resolve(DomainId user, DomainId domain, GrantRef ref, bool write) const;

  std::map<std::pair<DomainId, Port>, Channel> channels_;
  std::map<std::pair<DomainId, GrantRef>, Grant> grants_;
  std::size_t mappings_ = 0;
  std::size_t pieces_copied_ = 0;
  Port next_port_ = 1;
  GrantRef next_ref_ = 8;
};

}  // namespace ringback::hypervisor
