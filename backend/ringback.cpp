// ringback: what an operator types. Gives vifs to domains, takes them away, and lists them, by
// xenstore alone.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "backend/control/attach.hpp"
#include "backend/control/detach.hpp"
#include "backend/control/hotplug_script.hpp"
#include "backend/control/rate_option.hpp"
#include "backend/control/vif_list.hpp"

namespace {

using namespace ringback;
using namespace ringback::control;

constexpr int failed = 1;
constexpr int misused = 2;
constexpr std::uint16_t highest_domain = 0x7FEF;  // below DOMID_FIRST_RESERVED

struct Arguments {
  AttachOptions attach;
  std::string mac, rate, switch_name;
  DetachOptions detach;
  bool no_wait = false, json = false;
};

// The text of the Error is CLI11's message.
template <class Parse>
CLI::Validator parsed_by(Parse parse, const std::string& description) {
  return {[parse](const std::string& text) {
            const auto value = parse(text);
            return value ? std::string() : value.error().what;
          },
          description};
}

CLI::App* add_attach(CLI::App& vif, Arguments& arguments) {
  auto& options = arguments.attach;
  auto& request = options.vif;
  auto* command = vif.add_subcommand("attach", "Give a domain a vif");
  command->add_option("DOMID", request.id.domain, "The domain")
      ->required()
      ->check(CLI::Range(std::uint16_t{0}, highest_domain));
  command->add_option("--devid", options.device, "Device number (default: the next free)")
      ->check(CLI::Range(0U, 65535U));
  command->add_option("--mac", arguments.mac, "Address (default: random, 00:16:3e:...)")
      ->check(parsed_by(xenstore::parse_mac, "MAC"));
  auto* bridge = command->add_option(
      "--bridge", request.bridge, "Bridge to join (by /etc/xen/scripts/vif-bridge, or --script)");
  auto* script = command->add_option("--script", request.script, "Hotplug script");
  command->add_option("--switch", arguments.switch_name, "Join the built-in switch of this name")
      ->excludes(bridge)
      ->excludes(script);
  command->add_option("--rate", arguments.rate, "Limit, as 10Mb/s@50ms or \"bytes,microseconds\"")
      ->check(parsed_by(parse_rate_option, "RATE"));
  command->add_option("--mtu", request.mtu, "MTU")->check(CLI::Range(68U, 65535U));
  command->add_option("--vifname", request.vifname, "Name of the network device");
  command->add_option("--max-queues", request.max_queues, "Queues to offer")
      ->check(CLI::Range(1U, 64U));
  command->add_option("--backend", request.backend, "Domain of the backend (default: 0)")
      ->check(CLI::Range(std::uint16_t{0}, highest_domain));
  command->add_flag("--no-wait", arguments.no_wait, "Don't wait for the backend to answer");
  return command;
}

CLI::App* add_detach(CLI::App& vif, Arguments& arguments) {
  auto& options = arguments.detach;
  auto* command = vif.add_subcommand("detach", "Take a vif away from a domain");
  command->add_option("DOMID", options.domain, "The domain")
      ->required()
      ->check(CLI::Range(std::uint16_t{0}, highest_domain));
  command->add_option("DEVID", options.device, "Device number (default: its only one)")
      ->check(CLI::Range(0U, 65535U));
  command->add_flag("--force", options.force, "Remove it without waiting for the backend");
  return command;
}

CLI::App* add_list(CLI::App& vif, Arguments& arguments) {
  auto* command = vif.add_subcommand("list", "Show all vifs");
  command->add_flag("--json", arguments.json, "As JSON");
  return command;
}

int fail(const Error& error) {
  fmt::print(stderr, "ringback: {}\n", error.what);
  return failed;
}

int misuse(const std::string& what) {
  fmt::print(stderr, "ringback: {}\nTry `ringback --help` or `ringback vif COMMAND --help`.\n",
             what);
  return misused;
}

// What the options imply.
void complete(Arguments& arguments) {
  auto& vif = arguments.attach.vif;
  arguments.attach.wait = !arguments.no_wait;
  vif.mac = arguments.mac.empty() ? random_mac() : *xenstore::parse_mac(arguments.mac);
  if (!arguments.rate.empty()) vif.rate = *parse_rate_option(arguments.rate);
  if (!arguments.switch_name.empty()) {
    vif.bridge = arguments.switch_name;
    vif.script = switch_script;
  } else if (!vif.script.empty()) {
    vif.script = script_path(vif.script);
  } else if (!vif.bridge.empty()) {
    const auto usual = script_path("vif-bridge");
    if (std::filesystem::exists(usual)) {
      vif.script = usual;
    } else {
      fmt::print(stderr, "ringback: there is no {}: add the vif to {} yourself\n", usual,
                 vif.bridge);
    }
  }
}

int run_attach(xenstore::Store& store, Arguments& arguments) {
  complete(arguments);
  const auto& vif = arguments.attach.vif;
  if (const auto config = xenstore::parse_vif_config(vif.id, backend_keys(vif)); !config) {
    return misuse(config.error().what);
  }
  const auto id = attach(store, arguments.attach);
  if (!id) return fail(id.error());
  fmt::print("{} attached, mac {}\n", device_name(*id), xenstore::to_string(vif.mac));
  return 0;
}

int run_detach(xenstore::Store& store, const Arguments& arguments) {
  const auto id = detach(store, arguments.detach);
  if (!id) return fail(id.error());
  fmt::print("{} detached\n", device_name(*id));
  return 0;
}

int run_list(xenstore::Store& store, const Arguments& arguments) {
  const auto rows = list_vifs(store);
  if (!rows) return fail(rows.error());
  fmt::print("{}", arguments.json ? to_json(*rows).dump(2) + "\n" : to_table(*rows));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Manages the vifs that ringbackd serves", "ringback");
  app.set_version_flag("--version", "ringback " RINGBACK_VERSION);
  auto* vif = app.add_subcommand("vif", "Virtual network interfaces");
  const auto* attach_command = add_attach(*vif, arguments);
  const auto* detach_command = add_detach(*vif, arguments);
  const auto* list_command = add_list(*vif, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : misuse(error.what());  // 0: --help
  }
  if (!attach_command->parsed() && !detach_command->parsed() && !list_command->parsed()) {
    return misuse("which command? There are vif attach, vif detach and vif list.");
  }

  auto store = xenstore::Store::open();
  if (!store) {
    fmt::print(stderr, "ringback: {}\n", store.error().what);
    return failed;
  }
  if (attach_command->parsed()) return run_attach(*store, arguments);
  if (detach_command->parsed()) return run_detach(*store, arguments);
  return run_list(*store, arguments);
}
