#include "xenstore/port_policy.hpp"

#include <algorithm>

#include "xenstore/key_parser.hpp"

namespace ringback::xenstore {

namespace {

constexpr net::VlanId highest_vlan = net::vlan_count - 2;

// Takes the text up to the first of these characters, and that one.
std::string_view cut(std::string_view& text, std::string_view at) {
  const auto end = std::min(text.find_first_of(at), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

Result<net::VlanId> parse_vlan(std::string_view text) {
  return parse_number<net::VlanId>("its part", text, 1, highest_vlan);
}

Result<void> add_term(std::string_view term, Vlans& vlans) {
  const bool for_untagged = term.ends_with('p');
  const bool untagged = for_untagged || term.ends_with('u');
  std::string_view rest = term.substr(0, term.size() - (untagged ? 1 : 0));
  net::VlanId step = 1;
  unsigned count = 1;
  const auto kind = rest.find_first_of("-+");
  const auto first = parse_vlan(cut(rest, "-+"));
  if (!first) return tl::unexpected(first.error());
  if (kind != std::string_view::npos && term[kind] == '-') {
    const auto last = parse_number<net::VlanId>("its part", rest, *first, highest_vlan);
    if (!last) return tl::unexpected(last.error());
    count = *last - *first + 1U;
  } else if (kind != std::string_view::npos) {
    const auto parsed_step = parse_vlan(cut(rest, "x"));
    const auto parsed_count = parse_vlan(rest);
    if (!parsed_step) return tl::unexpected(parsed_step.error());
    if (!parsed_count) return tl::unexpected(parsed_count.error());
    step = *parsed_step;
    count = *parsed_count;
  }
  if (*first + (count - 1) * step > highest_vlan)
    return refuse("its part", term, "VLANs from 1 to 4094");
  for (unsigned i = 0; i < count; ++i) {
    vlans.members.set(*first + i * step);
    vlans.untagged.set(*first + i * step, untagged);
  }
  if (!for_untagged) return {};
  if (count > 1 || (vlans.for_untagged && vlans.for_untagged != *first))
    return refuse("its part", term, "p on one VLAN alone: what comes without a tag is in that one");
  vlans.for_untagged = *first;
  return {};
}

Result<StaticMac> parse_static_mac(std::string_view key, std::string_view text, net::VlanId usual) {
  std::string_view rest = text;
  const auto mac = parse_mac(cut(rest, "@"));
  if (!mac) return refuse(key, text, "addresses like 00:16:3e:01:02:03 or ...@VLAN");
  if (rest.empty()) return StaticMac{*mac, usual};
  const auto vlan = parse_number<net::VlanId>(key, rest, 1, highest_vlan);
  if (!vlan) return tl::unexpected(vlan.error());
  return StaticMac{*mac, *vlan};
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> all;
  while (!text.empty())
    if (const auto word = cut(text, " \t\n"); !word.empty()) all.push_back(word);
  return all;
}

}  // namespace

Result<Vlans> parse_vlans(std::string_view text, std::string_view key) {
  Vlans vlans;
  std::string_view rest = text;
  do {
    if (const auto added = add_term(cut(rest, "/"), vlans); !added)
      return failure(EINVAL, std::string(key) + " = " + quoted(text) + ": " + added.error().what);
  } while (!rest.empty());
  return vlans;
}

Result<PortPolicy> parse_port_policy(const Keys& keys, std::string_view prefix,
                                     std::string_view vlan) {
  Parser parser(keys);
  PortPolicy policy;
  const auto named = [&](const char* name) { return std::string(prefix) + name; };
  // The toolstack may write it empty.
  if (const auto text = parser.text(vlan); !text.empty()) {
    const auto vlans = parse_vlans(text, vlan);
    if (!vlans) return tl::unexpected(vlans.error());
    policy.vlans = *vlans;
  }
  policy.isolated = parser.flag(named("isolated"));
  policy.router = parser.flag(named("router"));
  const auto usual = policy.vlans ? policy.vlans->for_untagged.value_or(0) : net::VlanId{0};
  const auto macs = parser.text(named("macs"));
  for (const auto word : words(macs)) {
    const auto mac = parse_static_mac(named("macs"), word, usual);
    if (!mac) return tl::unexpected(mac.error());
    if (policy.vlans && !policy.vlans->members[mac->vlan])
      return refuse(named("macs"), word, "in a VLAN of its key `vlan`: ...@VLAN");
    policy.macs.push_back(*mac);
  }
  if (parser.has(named("storm")))
    policy.storm = parser.number<std::uint32_t>(named("storm"), 0, 0, 1'000'000'000);
  const auto mirror = parser.text(named("mirror"));
  if (const auto names = words(mirror); !names.empty()) {
    policy.mirror.emplace();
    if (names.size() > 1 && std::ranges::count(names, "all") > 0)
      return refuse(named("mirror"), mirror, "all, or names");
    if (names != std::vector<std::string_view>{"all"})
      policy.mirror->of.assign(names.begin(), names.end());
  }
  return parser.finish(policy);
}

}  // namespace ringback::xenstore
