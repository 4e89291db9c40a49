// The command: attaches, detaches and lists vifs, with the keys that libxl writes.
#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "backend/control/rate.hpp"
#include "backend/control/toolstack.hpp"
#include "backend/control/vif_list.hpp"

namespace {

using namespace ringback;
using namespace ringback::backend::control;

constexpr int usage_error = 2;

// Turns a parser of ours into a check of the command line's.
template <class Parse>
auto checked(Parse parse) {
  return [parse](const std::string& text) {
    const auto value = parse(text);
    return value ? std::string() : value.error().what;
  };
}

int fail(const Error& error) {
  fmt::print(stderr, "ringback: {}\n", error.what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Controls the network devices that ringbackd serves.", "ringback");
  app.require_subcommand(1);
  CLI::App& vif = *app.add_subcommand("vif", "network devices of guests");
  vif.require_subcommand(1);
  const CLI::Range domain_ids(0, 32751);

  AttachOptions attaching;
  std::string mac;
  std::string rate;
  bool no_wait = false;
  CLI::App& attach_command = *vif.add_subcommand("attach", "give a domain a network device, as `xl network-attach` does");
  attach_command.add_option("DOMID", attaching.domain, "the guest")->required()->check(domain_ids);
  attach_command.add_option("--devid", attaching.device, "its number; default: the lowest free one");
  attach_command.add_option("--mac", mac, "its address; default: random, 00:16:3e:...")->check(checked(xenstore::parse_mac));
  auto* bridge = attach_command.add_option("--bridge", attaching.bridge, "join this bridge of the host (by vif-bridge)");
  attach_command.add_option("--switch", attaching.switch_name, "join this software switch of ringbackd")->excludes(bridge);
  attach_command.add_option("--script", attaching.script, "hotplug script to run")->check(CLI::ExistingFile);
  attach_command.add_option("--vifname", attaching.vifname, "name of the network device; default: vif<DOMID>.<DEVID>");
  attach_command.add_option("--rate", rate, "limit, as xl has it: 10Mb/s, 1MB/s@20ms")->check(checked(parse_rate_option));
  attach_command.add_option("--mtu", attaching.mtu, "largest packet")->check(CLI::Range(68, 65535));
  attach_command.add_option("--max-queues", attaching.max_queues, "queues offered; default: 4")->check(CLI::Range(1, 64));
  attach_command.add_option("--backend", attaching.backend, "the domain that serves it; default: 0")->check(domain_ids);
  attach_command.add_flag("--no-wait", no_wait, "only write the keys");

  DetachOptions detaching;
  CLI::App& detach_command = *vif.add_subcommand("detach", "take it away again, as `xl network-detach` does");
  detach_command.add_option("DOMID", detaching.domain, "the guest")->required()->check(domain_ids);
  detach_command.add_option("DEVID", detaching.device, "which of its devices; default: the only one");
  detach_command.add_flag("--force", detaching.force, "don't wait for the backend");

  bool json = false;
  CLI::App& list_command = *vif.add_subcommand("list", "show every vif and its state");
  list_command.add_flag("--json", json, "for programs");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }

  auto store = xenstore::Store::open();
  if (!store) return fail(store.error());
  if (attach_command) {
    if (!mac.empty()) attaching.mac = *xenstore::parse_mac(mac);
    if (!rate.empty()) attaching.rate = *parse_rate_option(rate);
    attaching.wait = !no_wait;
    const auto id = attach(*store, attaching);
    if (!id) return fail(id.error());
    fmt::print("{} attached\n", xenstore::device_name(*id));
  } else if (detach_command) {
    if (const auto done = detach(*store, detaching); !done) return fail(done.error());
  } else if (list_command) {
    const auto vifs = list_vifs(*store);
    if (!vifs) return fail(vifs.error());
    fmt::print("{}", json ? vifs->dump(2) + "\n" : as_table(*vifs));
  }
  return 0;
}
