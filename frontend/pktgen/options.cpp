#include "frontend/pktgen/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "frontend/pktgen/frames.hpp"

namespace ringback::frontend {
namespace {

constexpr std::uint32_t most_devices = 1024;

// Calls item(text) for each of a list's items, until one returns false.
template <class Item>
bool each_item(std::string_view list, Item item) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (!item(list.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
    if (list.empty()) return false;  // a comma at the end
  }
  return true;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<std::size_t>> parse_sizes(const std::string& text) {
  if (text == "imix")
    return std::vector<std::size_t>{60, 60, 590, 60, 60, 590, 60, 590, 60, 60, 590, 1514};
  std::vector<std::size_t> sizes;
  const bool good = each_item(text, [&](std::string_view item) {
    const auto size = number(item);
    if (!size || *size < shortest_frame || *size > longest_frame) return false;
    sizes.push_back(*size);
    return true;
  });
  if (!good || sizes.empty())
    return failure(EINVAL, fmt::format("the sizes '{}' should be imix, or numbers from {} to {} "
                                       "with commas between",
                                       text, shortest_frame, longest_frame));
  return sizes;
}

Result<std::vector<std::uint32_t>> parse_devices(const std::string& text) {
  std::vector<std::uint32_t> devices;
  const bool good = each_item(text, [&](std::string_view item) {
    const auto dash = item.find('-');
    const auto first = number(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(item.substr(dash + 1));
    if (!first || !last || *last < *first || *last >= most_devices) return false;
    for (auto device = *first; device <= *last; ++device) devices.push_back(device);
    return true;
  });
  auto sorted = devices;
  std::ranges::sort(sorted);
  if (!good || std::ranges::adjacent_find(sorted) != sorted.end())
    return failure(EINVAL, fmt::format("the vifs '{}' should be numbers below {} or ranges (0-15), "
                                       "with commas between, each vif once",
                                       text, most_devices));
  return devices;
}

Result<void> check(const PktgenOptions& options) {
  if (options.senders.empty() && options.sinks.empty())
    return failure(EINVAL, "neither a vif that sends nor one that receives: give --send or --sink");
  if (!options.senders.empty() && options.sinks.empty() && !options.to)
    return failure(EINVAL, "there is nobody to send to: give --sink, or --to");
  if (options.senders.size() == 1 && options.senders == options.sinks)
    return failure(EINVAL, fmt::format("vif {} can't send to itself: give another --sink",
                                       options.senders.front()));
  return {};
}

}  // namespace ringback::frontend
