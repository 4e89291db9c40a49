#include "backend/switch/software_switch.hpp"

#include <algorithm>
#include <random>

#include "backend/switch/passage.hpp"

namespace ringback::backend {
namespace {

// Of 100,000 addresses one in some 500 finds its bucket full.
constexpr std::size_t mac_capacity = 262144;

std::uint64_t secret() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

net::Toeplitz::Key secret_key() {
  net::Toeplitz::Key key;
  std::ranges::generate(key, [] { return static_cast<std::uint8_t>(secret()); });
  return key;
}

}  // namespace

SoftwareSwitch::SoftwareSwitch(std::string name, Synchronise synchronise, Clock clock)
    : name_(std::move(name)),
      synchronise_(std::move(synchronise)),
      clock_(clock),
      macs_(mac_capacity, secret()),
      groups_(secret()),
      flows_(secret_key()),
      owned_(std::make_unique<PortTable>()),
      ports_(owned_.get()) {}

SoftwareSwitch::~SoftwareSwitch() = default;

template <class Change>
void SoftwareSwitch::change(Change change) {
  auto ports = std::make_unique<PortTable>(*owned_);
  change(ports->places);
  ports->derive();
  ports_.store(ports.get(), std::memory_order_release);
  synchronise_();
  owned_ = std::move(ports);
}

PortNumber SoftwareSwitch::add(std::string name) {
  const auto& places = owned_->places;
  const auto number = static_cast<PortNumber>(
      std::ranges::find(places, false, &PortTable::Place::used) - places.begin());
  change([&](auto& all) {
    if (number == all.size()) all.emplace_back();
    all[number].used = true;
    all[number].name = std::move(name);
  });
  return number;
}

void SoftwareSwitch::remove(PortNumber port) {
  change([&](auto& places) { places[port] = {}; });
  macs_.forget(port);
  groups_.forget(port);
}

std::size_t SoftwareSwitch::port_count() const {
  return static_cast<std::size_t>(
      std::ranges::count(owned_->places, true, &PortTable::Place::used));
}

void SoftwareSwitch::connect(PortNumber port, std::vector<Sink*> sinks, bool spread) {
  if (!sinks.empty()) groups_.admit(port, clock_().seconds());
  change([&](auto& places) {
    places[port].sinks = std::move(sinks);
    places[port].spreads = spread;
  });
}

bool SoftwareSwitch::set_policy(PortNumber port, const xenstore::PortPolicy& policy) {
  const bool none = policy == xenstore::PortPolicy{};
  const auto former = owned_->places[port].policy;
  change([&](auto& places) {
    places[port].policy = none ? nullptr : std::make_shared<xenstore::PortPolicy>(policy);
    if (policy.storm != (former ? former->storm : std::nullopt))
      places[port].storm = policy.storm ? std::make_shared<StormMeter>(*policy.storm) : nullptr;
  });
  if (policy.macs == (former ? former->macs : std::vector<xenstore::StaticMac>{})) return true;
  macs_.forget(port);
  const auto keep = [&] {
    bool kept = true;
    for (const auto& [mac, vlan] : policy.macs)
      kept = macs_.keep(vlan, mac_at(std::as_bytes(std::span(mac)).data()), port) && kept;
    return kept;
  };
  keep();
  synchronise_();  // a worker that was about to learn one of them elsewhere has done so
  return keep();
}

void SoftwareSwitch::set_policy(const xenstore::SwitchPolicy& policy) {
  macs_.set_ageing(policy.ageing);
  if (policy.snooping == snooping_) return;
  // What was said while nobody listened is not known.
  if (policy.snooping)
    for (std::size_t port = 0; port < owned_->places.size(); ++port)
      if (owned_->places[port].used)
        groups_.admit(static_cast<PortNumber>(port), clock_().seconds());
  snooping_ = policy.snooping;
}

void SoftwareSwitch::forward(std::span<Frame> burst, PortNumber port, std::size_t queue,
                             Copier& copier, Counters& counters) {
  Passage passage(*ports_.load(std::memory_order_acquire), flows_, burst, port);
  passage.look_up(macs_, snooping_.load(std::memory_order_acquire) ? &groups_ : nullptr, clock_(),
                  counters);
  passage.deliver(queue, copier, counters);
}

}  // namespace ringback::backend
