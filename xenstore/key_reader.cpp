#include "xenstore/key_reader.hpp"

namespace ringback::xenstore {

namespace {

Result<void> read_level(Transaction& transaction, const std::string& path,
                        const std::string& prefix, int levels, Keys& keys) {
  const auto names = transaction.list(path);
  if (!names) return tl::unexpected(names.error());
  for (const auto& name : *names) {
    const auto node = path + "/" + name;
    auto value = transaction.read(node);
    if (!value) return tl::unexpected(value.error());
    if (!*value) continue;
    if (keys.size() == max_keys) {
      return failure(E2BIG, path + ": more than " + std::to_string(max_keys) + " keys");
    }
    if ((*value)->size() > max_value_size) {
      return failure(E2BIG, node + ": longer than " + std::to_string(max_value_size) + " bytes");
    }
    const bool leaf = !(*value)->empty();
    keys.emplace(prefix + name, std::move(**value));
    if (leaf || levels <= 1) continue;
    if (auto below = read_level(transaction, node, prefix + name + "/", levels - 1, keys); !below) {
      return below;
    }
  }
  return {};
}

}  // namespace

Result<Keys> read_directory(Transaction& transaction, const std::string& path) {
  Keys keys;
  if (auto done = read_level(transaction, path, "", 2, keys); !done) {
    return tl::unexpected(done.error());
  }
  return keys;
}

Result<Keys> read_directory(Store& store, const std::string& path) {
  // A guest that keeps writing what is read here is not waited for.
  constexpr int attempts = 5;
  Result<Keys> keys;
  auto done = store.transact(
      [&](Transaction& transaction) -> Result<void> {
        keys = read_directory(transaction, path);
        if (!keys) return tl::unexpected(keys.error());
        return {};
      },
      attempts);
  if (!done) return tl::unexpected(done.error());
  return keys;
}

}  // namespace ringback::xenstore
