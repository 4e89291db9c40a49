// A device class of our own, in full: a pipe from a guest to domain 0. The guest's program sends
// what it reads, the other one prints it.
//
//   FE = /local/domain/<guest>/data/pipe    ring-ref, event-channel: written by the frontend in one
//   transaction request: a page of data that the backend may copy    response: 0, or a negative
//   GNTST_ code of the copy
#pragma once

#include <poll.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "hypervisor/event_channels.hpp"
#include "hypervisor/grants.hpp"
#include "ring/back_ring.hpp"
#include "ring/front_ring.hpp"
#include "xenstore/store.hpp"

namespace pipe_device {

struct Request {
  std::uint32_t page;  // a grant ref
  std::uint32_t size;  // at most a page; 0: the end
};
struct Response {
  std::int32_t status;
};
// So many pages at once are on their way.
inline constexpr std::uint32_t window = 32;

inline std::string key(ringback::hypervisor::DomainId guest, const std::string& name) {
  return "/local/domain/" + std::to_string(guest) + "/data/pipe/" + name;
}

[[noreturn]] inline void give_up(const std::string& why) {
  std::cerr << why << '\n';
  std::exit(1);
}

// The value, or the end of the program.
template <class T>
T need(ringback::Result<T> result) {
  if (!result) give_up(result.error().what);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Sleeps until the other end has notified us, or something happens in the store.
inline void sleep(ringback::hypervisor::EventChannels& channels,
                  const ringback::xenstore::Store& store) {
  pollfd descriptors[] = {{channels.fd(), POLLIN, 0}, {store.fd(), POLLIN, 0}};
  ::poll(descriptors, std::size(descriptors), -1);
  while (const auto port = channels.pending()) channels.unmask(*port);
}

}  // namespace pipe_device
