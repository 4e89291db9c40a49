// A value, or an errno value: all that Xen's C interface can say of an error.
#pragma once

#include <tl/expected.hpp>

namespace ringback::hypervisor::embedded {

template <class T>
using Answer = tl::expected<T, int>;

}  // namespace ringback::hypervisor::embedded
