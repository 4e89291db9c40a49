// For the switch's tests: three guests on one, in a simulated hypervisor.
#pragma once

#include <memory>
#include <vector>

#include "backend/switch/software_switch.hpp"
#include "backend/test_guest.hpp"

namespace ringback::backend {

struct TestSwitch {
  struct Member {
    Member(TestSwitch& world, hypervisor::DomainId id)
        : guest(world.hypervisor, id),
          port(world.network, "vif" + std::to_string(id) + ".0"),
          queue(Queue::connect(guest.config(), port, *world.events, *world.grants, [] {}).value()) {
      port.connect({&queue->sink()});
    }
    TestGuest guest;
    SwitchPort port;
    std::unique_ptr<Queue> queue;
  };

  TestSwitch() {
    for (hypervisor::DomainId id = 1; id <= 3; ++id)
      members.push_back(std::make_unique<Member>(*this, id));
  }
  TestGuest& guest(std::size_t id) { return members[id - 1]->guest; }
  void serve() {
    for (auto& member : members) {
      member->queue->guest_sent();
      while (member->queue->serve(copier) || member->queue->arm()) {
      }
    }
  }

  hypervisor::Simulated hypervisor;
  std::unique_ptr<hypervisor::EventChannels> events = hypervisor.event_channels(0);
  std::unique_ptr<hypervisor::GrantUser> grants = hypervisor.grant_user(0);
  std::unique_ptr<hypervisor::Io> io = std::move(*hypervisor::Io::open());
  Copier copier{*grants, *io};
  int barriers = 0;
  static inline Moment now = coarse_clock();  // the switch's
  std::shared_ptr<SoftwareSwitch> network = std::make_shared<SoftwareSwitch>(
      "test", [this] { ++barriers; }, [] { return now; });
  std::vector<std::unique_ptr<Member>> members;
};

}  // namespace ringback::backend
