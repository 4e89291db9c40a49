#include "xenstore/key_reader.hpp"

namespace ringback::xenstore {

namespace {

Result<std::optional<std::string>> read_value(Transaction& transaction, const std::string& node) {
  auto value = transaction.read(node);
  if (value && *value && (*value)->size() > max_value_size)
    return failure(E2BIG, node + ": longer than " + std::to_string(max_value_size) + " bytes");
  return value;
}

Result<void> read_level(Transaction& transaction, const std::string& path,
                        const std::string& prefix, int levels, Keys& keys) {
  const auto names = transaction.list(path);
  if (!names) return tl::unexpected(names.error());
  for (const auto& name : *names) {
    const auto node = path + "/" + name;
    auto value = read_value(transaction, node);
    if (!value) return tl::unexpected(value.error());
    if (!*value) continue;
    if (keys.size() == max_keys) {
      return failure(E2BIG, path + ": more than " + std::to_string(max_keys) + " keys");
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

Result<void> read_named(Transaction& transaction, const std::string& path,
                        const std::string& prefix, const KeyNames& names, Keys& keys) {
  const auto there = transaction.list(path);
  if (!there) return tl::unexpected(there.error());
  for (const auto& name : *there) {
    const auto node = path + "/" + name;
    const auto key = prefix + name;
    if (names.contains(key)) {
      auto value = read_value(transaction, node);
      if (!value) return tl::unexpected(value.error());
      if (*value) keys.emplace(key, std::move(**value));
      continue;
    }
    const auto directory = key + "/";
    const auto below = names.lower_bound(directory);
    if (below == names.end() || !below->starts_with(directory)) continue;
    if (auto done = read_named(transaction, node, directory, names, keys); !done) return done;
  }
  return {};
}

// In a transaction of its own. A guest that keeps writing what is read here is not waited for.
template <class Read>
Result<Keys> read_at_one_moment(Store& store, Read read) {
  constexpr int attempts = 5;
  Result<Keys> keys;
  auto done = store.transact(
      [&](Transaction& transaction) -> Result<void> {
        keys = read(transaction);
        if (!keys) return tl::unexpected(keys.error());
        return {};
      },
      attempts);
  if (!done) return tl::unexpected(done.error());
  return keys;
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
  return read_at_one_moment(
      store, [&](Transaction& transaction) { return read_directory(transaction, path); });
}

Result<Keys> read_keys(Store& store, const std::string& path, const KeyNames& names) {
  return read_at_one_moment(store, [&](Transaction& transaction) -> Result<Keys> {
    Keys keys;
    if (auto done = read_named(transaction, path, "", names, keys); !done)
      return tl::unexpected(done.error());
    return keys;
  });
}

}  // namespace ringback::xenstore
