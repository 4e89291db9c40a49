// A connection to a domain's hypervisor socket: opens a handle, and answers what is asked of it.
#pragma once

#include "hypervisor/embedded/domains.hpp"

namespace ringback::hypervisor::embedded {

std::unique_ptr<Session> make_handle_session(Domains& domains, DomainId domain);

}  // namespace ringback::hypervisor::embedded
