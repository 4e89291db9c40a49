// What a toolstack puts into the store for a domain, as libxl does it (libxl__domain_make): there
// is none here.
#pragma once

#include "xenstore/server/tree.hpp"

namespace ringback::xenstore::server {

// /local/domain/<id>: the domain may read it, and write in data, drivers, feature and so on, which
// it owns.
void make_domain_directory(View& nodes, DomainId domain);
void remove_domain_directory(View& nodes, DomainId domain);

}  // namespace ringback::xenstore::server
