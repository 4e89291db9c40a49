// The switch between guests, as ringbackd has it: validation, learning, counters.
#pragma once

#include <memory>
#include <vector>

#include "backend/queue.hpp"
#include "backend/switch/software_switch.hpp"
#include "guest.hpp"

namespace ringback::bench {

// To be used by one thread.
class Switched {
 public:
  // The guests outlive it.
  explicit Switched(const std::vector<const Guest*>& guests) {
    for (const Guest* guest : guests) join(*guest);
  }
  ~Switched() {
    for (const auto& place : places_) place->port.connect({});
  }
  // That it learns itself.
  void know(std::uint32_t) {}
  void forward() {
    for (const auto& place : places_) place->queue->serve(copier_);
  }

 private:
  struct Place {
    explicit Place(const std::shared_ptr<backend::SoftwareSwitch>& network)
        : port(network, "vif") {}
    backend::SwitchPort port;
    backend::Queue::Kept kept{};
    std::unique_ptr<backend::Queue> queue;
  };
  void join(const Guest& guest) {
    Place& place = *places_.emplace_back(std::make_unique<Place>(switch_));
    place.queue = must(backend::Queue::connect(
        {.guest = guest.domain,
         .index = 0,
         .keys = {guest.rings.refs()[0], guest.rings.refs()[1], guest.channel, guest.channel},
         .abilities = {true, true, true, true, true},
         .kept = &place.kept},
        place.port, *events_, *grants_, [] {}));
    place.port.connect({&place.queue->sink()});
  }

  std::unique_ptr<hypervisor::EventChannels> events_ = must(hypervisor::open_event_channels());
  std::unique_ptr<hypervisor::GrantUser> grants_ = must(hypervisor::open_grant_user());
  std::unique_ptr<hypervisor::Io> io_ = must(hypervisor::Io::open());
  backend::Copier copier_{*grants_, *io_};
  std::shared_ptr<backend::SoftwareSwitch> switch_ =
      std::make_shared<backend::SoftwareSwitch>("bench", [] {});
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace ringback::bench
