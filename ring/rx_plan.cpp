#include "ring/rx_plan.hpp"

#include <algorithm>

namespace ringback::ring {

RxPlan plan_rx(std::size_t size, const net::Offload& offload, std::span<const RxRequest> free,
               std::size_t first_size) {
  RxPlan plan;
  std::uint16_t& slot = plan.response_count;
  for (std::size_t done = 0; done < size;) {
    const std::size_t room = done == 0 && first_size > 0 ? first_size : page_size;
    const auto bytes = static_cast<std::uint16_t>(std::min(size - done, room));
    const RxRequest& request = free[slot];
    plan.copies[plan.copy_count++] = {request.gref, static_cast<std::uint32_t>(done), bytes, slot};
    done += bytes;
    const auto more = static_cast<std::uint16_t>(done < size ? NETRXF_more_data : 0);
    plan.responses[slot++] = {request.id, 0, more, static_cast<std::int16_t>(bytes)};
    if (slot == 1 && offload.gso != net::Gso::none)
      plan.responses[slot++] = from_extra<RxResponse>(gso_extra(offload));
  }
  RxResponse& first = plan.responses[0];
  first.flags |= to_flags(offload, rx_checksum_flags);
  if (offload.gso != net::Gso::none) first.flags |= NETRXF_extra_info;
  return plan;
}

}  // namespace ringback::ring
