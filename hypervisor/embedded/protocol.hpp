// What the drop-in libraries and `ringback-hypervisor` say to the server: on a SOCK_SEQPACKET
// socket, one message up, one message back, in lockstep.
//
//   request: | Request | `count` words |
//   reply:   | Reply   | `count` words |  + at most two descriptors
//
//   on          request        fields                          words    reply descriptors control
//   join           domain                          -        -                              -
//               list           domain: the first to tell of    -        DomainCounts each -
//   hypervisor  open_events    -                               -        value: own domain own
//   memory, eventfd
//               open_mapper    -                               -        value: own domain epoch
//               page open_sharer    -                               -        value: own domain -
//               bind_unbound   domain                          -        value: port - bind_remote
//               domain, port                    -        value: port                    - bind_virq
//               port: the virq                  -        value: port                    - unbind
//               port                            -        -                              - restrict
//               domain                          -        -                              - peer port
//               -        tag, value: port, id: handle,  peer's memory,
//                                                                       domain_id peer's eventfd
//               share          domain, port: pages, writable   -        id, pages      refs own
//               memory unshare        id                              -        - - map domain,
//               writable                refs     id, pages                      its memory unmap id
//               -        -                              - copy_access    domain -        value,
//               pages                   its memory close          -                               -
//               -                              -
//
// `control` is DIRECTORY/control, `hypervisor` is DIRECTORY/domain-<id>/hypervisor. A connection to
// control that joined a domain keeps it alive. On hypervisor the first message opens. Anything else
// than the above ends the connection.
#pragma once

#include <cstdint>

#include "hypervisor/embedded/layout.hpp"

namespace ringback::hypervisor::embedded {

enum class Call : std::uint32_t {
  join = 1,
  list,
  open_events,
  open_mapper,
  open_sharer,
  bind_unbound,
  bind_remote,
  bind_virq,
  unbind,
  restrict,
  peer,
  share,
  unshare,
  map,
  unmap,
  copy_access,
  close,
};

inline constexpr std::uint32_t none = UINT32_MAX;  // no unmap notification, as in xengnttab.h
inline constexpr std::uint32_t max_words = 4096;   // longer lists go in several messages

struct Request {
  Call call{};
  std::uint32_t version = layout_version;
  std::uint32_t domain = 0;
  std::uint32_t port = 0;
  std::uint32_t writable = 0;
  std::uint32_t notify_offset = none;
  std::uint32_t notify_port = none;
  std::uint32_t count = 0;
  std::uint64_t id = 0;
};

struct Reply {
  std::uint32_t error = 0;  // an errno value
  std::uint32_t value = 0;
  std::uint32_t pages = 0;  // of the domain whose memory comes along
  std::uint32_t count = 0;
  std::uint64_t id = 0;
  std::uint64_t domain_id = 0;  // never used again, unlike a domid
  PortTag tag = 0;
};

// What `list` tells of each domain.
struct DomainCounts {
  std::uint32_t domain = 0;
  std::uint32_t commands = 0;  // that exec started and of which a process is left
  std::uint32_t handles = 0;
  std::uint32_t ports = 0;
  std::uint32_t grants = 0;    // pages granted, or revoked and still mapped
  std::uint32_t mappings = 0;  // pages of others mapped
  std::uint32_t pages = 0;     // in use, or not yet safe to use again
};
inline constexpr std::uint32_t counts_words = sizeof(DomainCounts) / 4;

}  // namespace ringback::hypervisor::embedded
