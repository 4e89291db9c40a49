// What an unprivileged domain may use: xenstored's limits.
#pragma once

#include <cstddef>

namespace ringback::xenstore::server::quota {

inline constexpr std::size_t nodes = 1000;  // owned by one domain
inline constexpr std::size_t node_size =
    2048;  // value, children, permissions and header: below this
inline constexpr std::size_t permissions = 5;           // of one node
inline constexpr std::size_t watches = 128;             // of one domain
inline constexpr std::size_t transactions = 10;         // open at once in one domain
inline constexpr std::size_t transaction_nodes = 1024;  // looked at or changed in one transaction
inline constexpr std::size_t outstanding = 20;  // answers not yet taken: then it is read no further
inline constexpr std::size_t backlog =
    2 << 20;  // bytes of events not yet taken: then events are dropped

}  // namespace ringback::xenstore::server::quota

namespace ringback::xenstore::server {

// Those that an operator may set, as by xenstored's options of these names.
struct Quota {
  std::size_t entry_nb = quota::nodes;
  std::size_t watch_nb = quota::watches;
};

}  // namespace ringback::xenstore::server
