#include "hypervisor/kept_tap.hpp"

#include <algorithm>
#include <optional>

namespace ringback::hypervisor {
namespace {

Result<std::optional<std::string>> name_of(Links& links, const std::string& alias) {
  const auto all = links.list();
  if (!all) return tl::unexpected(all.error());
  const auto kept =
      std::ranges::find_if(*all, [&](const Link& link) { return link.tap && link.alias == alias; });
  if (kept == all->end()) return std::nullopt;
  return kept->name;
}

}  // namespace

Result<Tap> open_kept_tap(Links& links, const std::string& alias, const std::string& name,
                          std::size_t queues, const std::function<Result<void>(Tap&)>& furnish) {
  const auto kept = name_of(links, alias);
  if (!kept) return tl::unexpected(kept.error());
  auto tap = Tap::open(kept->value_or(name), queues);
  if (!tap || *kept) return tap;
  if (auto done = furnish(*tap); !done) return tl::unexpected(done.error());
  if (auto done = links.set_alias(tap->name(), alias); !done) return tl::unexpected(done.error());
  if (auto done = tap->set_persistent(true); !done) return tl::unexpected(done.error());
  return tap;
}

Result<void> remove_kept_tap(Links& links, const std::string& alias) {
  const auto kept = name_of(links, alias);
  if (!kept) return tl::unexpected(kept.error());
  return *kept ? links.remove(**kept) : Result<void>();
}

}  // namespace ringback::hypervisor
