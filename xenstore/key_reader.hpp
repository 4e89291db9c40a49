// Reads a device's whole directory, one level of subdirectories included ("queue-0/tx-ring-ref"),
// at one moment. A guest wrote it, so it is bounded: more than 4096 keys or a value of more than
// 4096 bytes is an Error.
#pragma once

#include "xenstore/store.hpp"
#include "xenstore/vif_keys.hpp"

namespace ringback::xenstore {

inline constexpr std::size_t max_keys = 4096;
inline constexpr std::size_t max_value_size = 4096;

// Within a transaction of the caller, together with what else it reads. A missing directory has no
// keys. What has a value of its own is no directory: to ask whether it is one as well would make it
// twice as many questions.
Result<Keys> read_directory(Transaction& transaction, const std::string& path);
// In a transaction of its own.
Result<Keys> read_directory(Store& store, const std::string& path);

// Likewise, but of these keys alone, however deep they lie. Each directory on the way is listed, so
// that a key that is not there costs no question.
Result<Keys> read_keys(Store& store, const std::string& path, const KeyNames& names);

}  // namespace ringback::xenstore
