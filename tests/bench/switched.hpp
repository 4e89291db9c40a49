// The switch between two guests, as ringbackd has it: validation, learning, counters.
#pragma once

#include <array>
#include <memory>

#include "backend/queue.hpp"
#include "backend/switch/software_switch.hpp"
#include "guest.hpp"

namespace ringback::bench {

// To be used by one thread.
class Switched {
 public:
  Switched(const Guest& from, const Guest& to) : from_(connect(from, 0)), to_(connect(to, 1)) {}
  ~Switched() {
    for (auto& port : ports_) port->connect({});
  }
  void forward() {
    from_->serve(copier_);
    to_->serve(copier_);
  }

 private:
  std::unique_ptr<backend::Queue> connect(const Guest& guest, std::size_t place) {
    ports_[place] = std::make_unique<backend::SwitchPort>(switch_, "vif");
    auto queue = must(backend::Queue::connect(
        {.guest = guest.domain,
         .index = 0,
         .keys = {guest.rings.refs()[0], guest.rings.refs()[1], guest.channel, guest.channel},
         .abilities = {true, true, true, true, true},
         .kept = &kept_[place]},
        *ports_[place], *events_, *grants_, [] {}));
    ports_[place]->connect({&queue->sink()});
    return queue;
  }

  std::unique_ptr<hypervisor::EventChannels> events_ = must(hypervisor::open_event_channels());
  std::unique_ptr<hypervisor::GrantUser> grants_ = must(hypervisor::open_grant_user());
  std::unique_ptr<hypervisor::Io> io_ = must(hypervisor::Io::open());
  backend::Copier copier_{*grants_, *io_};
  std::shared_ptr<backend::SoftwareSwitch> switch_ =
      std::make_shared<backend::SoftwareSwitch>("bench", [] {});
  std::array<std::unique_ptr<backend::SwitchPort>, 2> ports_;
  std::array<backend::Queue::Kept, 2> kept_{};
  std::unique_ptr<backend::Queue> from_;
  std::unique_ptr<backend::Queue> to_;
};

}  // namespace ringback::bench
