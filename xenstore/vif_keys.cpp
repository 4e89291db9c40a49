#include "xenstore/vif_keys.hpp"

#include <algorithm>

#include "xenstore/key_parser.hpp"

namespace ringback::xenstore {

namespace {

constexpr Port highest_port = (1U << 17) - 1;    // of Xen's FIFO event channels, the larger ABI
constexpr std::size_t longest_device_name = 15;  // IFNAMSIZ, without its NUL

const char* text_of(bool flag) {
  return flag ? "1" : "0";
}

std::string queue_prefix(std::size_t queue) {
  return "queue-" + std::to_string(queue) + "/";
}

QueueKeys parse_queue(Parser& parser, const std::string& prefix, bool& split) {
  constexpr auto any_ref = std::numeric_limits<GrantRef>::max();
  QueueKeys queue;
  queue.tx_ring_ref = parser.required<GrantRef>(prefix + "tx-ring-ref", 0, any_ref);
  queue.rx_ring_ref = parser.required<GrantRef>(prefix + "rx-ring-ref", 0, any_ref);
  const auto tx = prefix + "event-channel-tx";
  const auto rx = prefix + "event-channel-rx";
  if (parser.has(tx) && parser.has(rx)) {
    split = true;
    queue.tx_event_channel = parser.required<Port>(tx, 1, highest_port);
    queue.rx_event_channel = parser.required<Port>(rx, 1, highest_port);
  } else {
    queue.tx_event_channel = parser.required<Port>(prefix + "event-channel", 1, highest_port);
    queue.rx_event_channel = queue.tx_event_channel;
  }
  return queue;
}

void print_queue(const QueueKeys& queue, bool split, const std::string& prefix, Keys& keys) {
  keys[prefix + "tx-ring-ref"] = std::to_string(queue.tx_ring_ref);
  keys[prefix + "rx-ring-ref"] = std::to_string(queue.rx_ring_ref);
  if (split) {
    keys[prefix + "event-channel-tx"] = std::to_string(queue.tx_event_channel);
    keys[prefix + "event-channel-rx"] = std::to_string(queue.rx_event_channel);
  } else {
    keys[prefix + "event-channel"] = std::to_string(queue.tx_event_channel);
  }
}

}  // namespace

std::string device_name(VifId id) {
  return "vif" + std::to_string(id.domain) + "." + std::to_string(id.device);
}

std::string backend_path(DomainId backend, VifId id) {
  return "/local/domain/" + std::to_string(backend) + "/backend/vif/" + std::to_string(id.domain) +
         "/" + std::to_string(id.device);
}

std::string frontend_path(VifId id) {
  return "/local/domain/" + std::to_string(id.domain) + "/device/vif/" + std::to_string(id.device);
}

Result<Rate> parse_rate(std::string_view text) {
  const auto comma = text.find(',');
  if (comma == std::string_view::npos) return refuse("rate", text, "bytes,microseconds");
  const auto bytes = parse_number<std::uint64_t>("rate (bytes)", text.substr(0, comma), 1);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto interval =
      parse_number<std::uint32_t>("rate (microseconds)", text.substr(comma + 1), 1);
  if (!interval) return tl::unexpected(interval.error());
  return Rate{*bytes, *interval};
}

std::string to_string(const Rate& rate) {
  return std::to_string(rate.bytes) + "," + std::to_string(rate.interval_us);
}

Result<VifConfig> parse_vif_config(VifId id, const Keys& backend) {
  Parser parser(backend);
  VifConfig config;
  config.id = id;

  config.frontend = parser.text("frontend");
  if (!config.frontend.starts_with('/')) {
    return refuse("frontend", config.frontend, "the path of the frontend's directory");
  }
  if (parser.number<DomainId>("frontend-id", id.domain, 0, 0x7FFF) != id.domain) {
    return refuse("frontend-id", parser.text("frontend-id"), "the domain of the backend's path");
  }
  if (parser.number<std::uint32_t>("handle", id.device, 0,
                                   std::numeric_limits<std::uint32_t>::max()) != id.device) {
    return refuse("handle", parser.text("handle"), "the device number of the backend's path");
  }
  config.mac = parser.take(parse_mac(parser.text("mac")));
  config.online = parser.flag("online", true);
  config.mtu = parser.number<std::uint32_t>("mtu", config.mtu, 68, 65535);
  if (parser.has("rate")) config.rate = parser.take(parse_rate(parser.text("rate")));
  config.max_queues = parser.number<std::uint32_t>("ringback/max-queues", config.max_queues, 1, 64);
  config.hotplug_status = parser.text("hotplug-status");

  config.vifname = parser.text("vifname");
  const bool odd = config.vifname == "." || config.vifname == ".." ||
                   std::ranges::any_of(config.vifname, [](char c) { return c <= ' ' || c == '/'; });
  if (odd || config.vifname.size() > longest_device_name) {
    return refuse("vifname", config.vifname, "a network device's name of at most 15 characters");
  }

  const bool scripted = parser.text("script").ends_with("vif-ringback");
  const auto port = parser.text("ringback/port", scripted ? "switch" : "tap");
  if (port == "switch") {
    config.port = PortKind::software_switch;
    config.switch_name = parser.text("ringback/switch", parser.text("bridge"));
    if (config.switch_name.empty()) return refuse("bridge", "", "the name of a switch");
    config.policy = parser.take(parse_port_policy(backend));
  } else if (port != "tap") {
    return refuse("ringback/port", port, "tap or switch");
  }
  return parser.finish(config);
}

KeyNames backend_key_names() {
  return {"frontend",
          "frontend-id",
          "handle",
          "mac",
          "online",
          "state",
          "hotplug-status",
          "script",
          "bridge",
          "rate",
          "mtu",
          "vifname",
          "vlan",
          "ringback/port",
          "ringback/switch",
          "ringback/max-queues",
          "ringback/isolated",
          "ringback/macs",
          "ringback/storm",
          "ringback/mirror",
          "ringback/router",
          "multi-queue-max-queues",
          "error"};
}

Keys print(const BackendFeatures& features) {
  return {
      {"feature-rx-copy", "1"},
      {"feature-rx-flip", "0"},
      {"feature-sg", text_of(features.sg)},
      {"feature-gso-tcpv4", text_of(features.gso_tcpv4)},
      {"feature-gso-tcpv6", text_of(features.gso_tcpv6)},
      {"feature-no-csum-offload", text_of(!features.checksum_v4)},
      {"feature-ipv6-csum-offload", text_of(features.checksum_v6)},
      {"feature-split-event-channels", text_of(features.split_event_channels)},
      {"feature-multicast-control", text_of(features.multicast_control)},
      {"feature-ctrl-ring", text_of(features.ctrl_ring)},
      {"multi-queue-max-queues", std::to_string(features.max_queues)},
  };
}

Result<BackendFeatures> parse_backend_features(const Keys& backend) {
  Parser parser(backend);
  BackendFeatures features;
  features.sg = parser.flag("feature-sg");
  features.gso_tcpv4 = parser.flag("feature-gso-tcpv4");
  features.gso_tcpv6 = parser.flag("feature-gso-tcpv6");
  features.checksum_v4 = !parser.flag("feature-no-csum-offload");
  features.checksum_v6 = parser.flag("feature-ipv6-csum-offload");
  features.split_event_channels = parser.flag("feature-split-event-channels");
  features.multicast_control = parser.flag("feature-multicast-control");
  features.ctrl_ring = parser.flag("feature-ctrl-ring");
  features.max_queues = parser.number<std::uint32_t>("multi-queue-max-queues", 1, 1, 4096);
  return parser.finish(features);
}

Result<FrontendKeys> parse_frontend_keys(const Keys& frontend, std::uint32_t max_queues) {
  Parser parser(frontend);
  FrontendKeys keys;

  if (!parser.flag("request-rx-copy", true)) {
    return refuse("request-rx-copy", "0", "1: page flipping is not offered");
  }
  const auto queues = parser.number<std::uint32_t>("multi-queue-num-queues", 1, 1, max_queues);
  // One queue is at the top level; stale keys of the other layout may lie beside it.
  const bool at_top =
      queues == 1 && (parser.has("tx-ring-ref") || !parser.has("queue-0/tx-ring-ref"));
  for (std::uint32_t i = 0; i < queues; ++i) {
    keys.queues.push_back(
        parse_queue(parser, at_top ? "" : queue_prefix(i), keys.split_event_channels));
  }
  keys.rx_notify = parser.flag("feature-rx-notify");

  auto& abilities = keys.abilities;
  abilities.scatter_gather = parser.flag("feature-sg");
  abilities.checksum_v4 = !parser.flag("feature-no-csum-offload");
  abilities.checksum_v6 = parser.flag("feature-ipv6-csum-offload");
  // A super-frame needs many slots and goes with a partial checksum.
  abilities.gso_v4 =
      parser.flag("feature-gso-tcpv4") && abilities.scatter_gather && abilities.checksum_v4;
  abilities.gso_v6 =
      parser.flag("feature-gso-tcpv6") && abilities.scatter_gather && abilities.checksum_v6;
  return parser.finish(keys);
}

KeyNames frontend_key_names(std::uint32_t max_queues) {
  KeyNames names = {"request-rx-copy",   "multi-queue-num-queues",  "feature-rx-notify",
                    "feature-sg",        "feature-no-csum-offload", "feature-ipv6-csum-offload",
                    "feature-gso-tcpv4", "feature-gso-tcpv6"};
  const auto add_queue = [&](const std::string& prefix) {
    for (const char* name :
         {"tx-ring-ref", "rx-ring-ref", "event-channel", "event-channel-tx", "event-channel-rx"})
      names.insert(prefix + name);
  };
  add_queue("");
  for (std::uint32_t i = 0; i < max_queues; ++i) add_queue(queue_prefix(i));
  return names;
}

Keys print(const FrontendKeys& frontend) {
  Keys keys = {
      {"multi-queue-num-queues", std::to_string(frontend.queues.size())},
      {"request-rx-copy", text_of(frontend.rx_copy)},
      {"feature-rx-notify", text_of(frontend.rx_notify)},
      {"feature-sg", text_of(frontend.abilities.scatter_gather)},
      {"feature-no-csum-offload", text_of(!frontend.abilities.checksum_v4)},
      {"feature-ipv6-csum-offload", text_of(frontend.abilities.checksum_v6)},
      {"feature-gso-tcpv4", text_of(frontend.abilities.gso_v4)},
      {"feature-gso-tcpv6", text_of(frontend.abilities.gso_v6)},
  };
  for (std::size_t i = 0; i < frontend.queues.size(); ++i) {
    const auto prefix = frontend.queues.size() == 1 ? "" : queue_prefix(i);
    print_queue(frontend.queues[i], frontend.split_event_channels, prefix, keys);
  }
  return keys;
}

}  // namespace ringback::xenstore
