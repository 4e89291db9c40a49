// A tap that outlives the process that made it, with its addresses and its place in a bridge. It is
// known by its alias, whatever its name is by then.
#pragma once

#include <functional>
#include <string>

#include "hypervisor/links.hpp"
#include "hypervisor/tap.hpp"

namespace ringback::hypervisor {

// The kept tap of that alias; where there is none, a new one of that name, which `furnish` makes
// ready before it is kept. Queues and errors as Tap::open().
Result<Tap> open_kept_tap(
    Links& links, const std::string& alias, const std::string& name, std::size_t queues,
    const std::function<Result<void>(Tap&)>& furnish = [](Tap&) { return Result<void>(); });

// Nothing happens where there is none.
Result<void> remove_kept_tap(Links& links, const std::string& alias);

}  // namespace ringback::hypervisor
