#include "hypervisor/kept_taps.hpp"

#include <algorithm>
#include <string_view>

namespace ringback::hypervisor {
namespace {

constexpr std::string_view prefix = "ringback ";

}  // namespace

Result<std::vector<KeptTaps::Kept>> KeptTaps::list() {
  const auto links = links_.list();
  if (!links) return tl::unexpected(links.error());
  std::vector<Kept> kept;
  for (const auto& link : *links) {
    const std::string_view alias = link.alias;
    if (!link.tap || !alias.starts_with(prefix) || !alias.ends_with(suffix_)) continue;
    const auto what = alias.substr(prefix.size(), alias.size() - prefix.size() - suffix_.size());
    if (what.find(" of ") == std::string_view::npos)  // else another owner's
      kept.push_back({std::string(what), link.name});
  }
  return kept;
}

// Empty: there is none.
Result<std::string> KeptTaps::name_of(const std::string& what) {
  const auto kept = list();
  if (!kept) return tl::unexpected(kept.error());
  const auto found = std::ranges::find(*kept, what, &Kept::what);
  return found == kept->end() ? std::string() : found->name;
}

Result<Tap> KeptTaps::open(const std::string& what, const std::string& name, std::size_t queues,
                           const std::function<Result<void>(Tap&)>& furnish) {
  const auto kept = name_of(what);
  if (!kept) return tl::unexpected(kept.error());
  if (!kept->empty()) return Tap::open(*kept, queues);
  auto tap = Tap::open(name, queues, Tap::Existing::refused);
  if (!tap) return tap;
  if (auto done = furnish(*tap); !done) return tl::unexpected(done.error());
  const std::string alias = std::string(prefix) + what + suffix_;
  if (auto done = links_.set_alias(tap->name(), alias); !done) return tl::unexpected(done.error());
  if (auto done = tap->set_persistent(true); !done) return tl::unexpected(done.error());
  return tap;
}

Result<void> KeptTaps::remove(const std::string& what) {
  const auto name = name_of(what);
  if (!name) return tl::unexpected(name.error());
  return name->empty() ? Result<void>() : links_.remove(*name);
}

}  // namespace ringback::hypervisor
