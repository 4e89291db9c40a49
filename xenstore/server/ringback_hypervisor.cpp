// ringback-hypervisor: a hypervisor and a store for plain Linux processes (docs/architecture.md).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "hypervisor/embedded/message_socket.hpp"
#include "hypervisor/embedded/server.hpp"
#include "xenstore/server/socket_server.hpp"

namespace {

using namespace ringback;
using namespace ringback::hypervisor;
using namespace ringback::hypervisor::embedded;

constexpr int misused = 2;
constexpr int command_not_found = 127;  // as a shell says it

int complain(const Error& error) {
  std::fprintf(stderr, "ringback-hypervisor: %s\n", error.what.c_str());
  return EXIT_FAILURE;
}

int complain(const std::string& what, int code) {
  return complain(system_failure(what, code).value());
}

std::string default_directory() {
  const char* const chosen = std::getenv("RINGBACK_DIRECTORY");
  return chosen != nullptr ? chosen : "/run/ringback";
}

std::string store_path(const std::string& directory, DomainId domain) {
  return domain_directory(directory, domain) + "/xenstore";
}

int serve(const std::string& directory, std::uint32_t mebibytes, xenstore::server::Quota quota) {
  auto loop = EventLoop::open();
  if (!loop) return complain(loop.error());
  if (auto stopping = (*loop)->stop_on_signals(); !stopping) return complain(stopping.error());

  xenstore::server::StoreServer store(**loop, quota);
  ServerOptions options{
      .directory = directory,
      .pages = mebibytes * 256,
      .on_domain_created = [&](DomainId domain) -> Result<void> {
        auto listening = store.listen(store_path(directory, domain), domain);
        // The store has domain 0 from the start.
        if (listening && domain != 0) store.introduce(domain);
        return listening;
      },
      .on_domain_destroyed = [&](DomainId domain) { store.release(domain); },
  };
  auto server = Server::open(**loop, std::move(options));
  if (!server) return complain(server.error());
  std::printf("ringback-hypervisor: serving %s\n", directory.c_str());
  std::fflush(stdout);
  if (auto ran = (*loop)->run(); !ran) return complain(ran.error());
  return EXIT_SUCCESS;
}

Result<Descriptor> connect_to_control(const std::string& directory) {
  const std::string path = control_path(directory);
  auto socket = connect_to(path);
  if (socket) return std::move(*socket);
  if (socket.error() == ENAMETOOLONG)
    return failure(ENAMETOOLONG, path + " is too long for a socket: choose a shorter --directory");
  return failure(socket.error(), "no server at " + path + " (" + std::strerror(socket.error()) +
                                     "): start `ringback-hypervisor serve --directory " +
                                     directory + "`");
}

Result<Message<Reply>> ask(const Descriptor& socket, const Request& request) {
  const std::string what = "the server did not answer";
  if (const auto sent = send(socket.get(), request, {}, {}); !sent)
    return system_failure(what, sent.error());
  auto reply = receive<Reply>(socket.get());
  if (!reply) return system_failure(what, reply.error());
  return std::move(*reply);
}

// The drop-in libraries beside this program: in the build tree, or as installed.
Result<std::string> library_directory() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto prefix = program.parent_path().parent_path();
  for (const char* const place : {"embedded", RINGBACK_LIBDIR "/ringback"})
    if (std::filesystem::exists(prefix / place / "libxenevtchn.so.1", error))
      return (prefix / place).string();
  return failure(ENOENT, "libxenevtchn.so.1 is neither in " + (prefix / "embedded").string() +
                             " nor in " + (prefix / RINGBACK_LIBDIR "/ringback").string());
}

int exec(const std::string& directory, std::uint32_t domain, std::vector<std::string> command) {
  if (command.empty()) {
    complain({EINVAL, "exec DOMID -- COMMAND...: there is no command"});
    return misused;
  }
  const auto libraries = library_directory();
  if (!libraries) return complain(libraries.error());
  // Resolved now: the command may go to another folder.
  const std::string place = std::filesystem::absolute(directory).lexically_normal().string();
  auto anchor = connect_to_control(place);
  if (!anchor) return complain(anchor.error());
  const auto joined = ask(*anchor, {.call = Call::join, .domain = domain});
  if (!joined) return complain(joined.error());
  if (const auto error = joined->header.error; error != 0)
    return complain("cannot make domain " + std::to_string(domain), static_cast<int>(error));

  const auto id = static_cast<DomainId>(domain);
  const char* const before = std::getenv("LD_LIBRARY_PATH");
  const std::string path =
      *libraries + (before != nullptr && *before != '\0' ? ":" + std::string(before) : "");
  ::setenv("LD_LIBRARY_PATH", path.c_str(), 1);
  ::setenv("RINGBACK_HYPERVISOR", hypervisor_path(place, id).c_str(), 1);
  ::setenv("XENSTORED_PATH", store_path(place, id).c_str(), 1);
  // Left open in the command and all that it starts: the domain lives as long as one of them.
  ::fcntl(anchor->get(), F_SETFD, 0);

  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (auto& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  complain("cannot run " + command[0], errno);
  return command_not_found;
}

int list(const std::string& directory) {
  auto socket = connect_to_control(directory);
  if (!socket) return complain(socket.error());
  std::printf("%8s %9s %8s %8s %8s %9s %8s\n", "domain", "commands", "handles", "ports", "grants",
              "mappings", "pages");
  for (std::uint32_t next = 0;;) {
    const auto reply = ask(*socket, {.call = Call::list, .domain = next});
    if (!reply) return complain(reply.error());
    if (reply->words.empty()) return EXIT_SUCCESS;
    for (std::size_t i = 0; i + counts_words <= reply->words.size(); i += counts_words) {
      std::array<std::uint32_t, counts_words> words;
      std::copy_n(&reply->words[i], counts_words, words.begin());
      const auto d = std::bit_cast<DomainCounts>(words);
      std::printf("%8u %9u %8u %8u %8u %9u %8u\n", d.domain, d.commands, d.handles, d.ports,
                  d.grants, d.mappings, d.pages);
      next = d.domain + 1;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  // What is behind "--" is exec's command, and none of our options.
  char** const dashes = std::find(argv, argv + argc, std::string("--"));
  std::vector<std::string> command(std::min(dashes + 1, argv + argc), argv + argc);
  CLI::App app("A hypervisor and a store for plain Linux processes.");
  app.set_version_flag("--version", "ringback-hypervisor " RINGBACK_VERSION);
  std::string directory = default_directory();
  std::uint32_t mebibytes = 1024;
  std::uint32_t domain = 0;
  int status = EXIT_SUCCESS;

  const auto add = [&](const char* name, const char* description) {
    CLI::App* const sub = app.add_subcommand(name, description);
    sub->add_option("--directory", directory, "Where the server's sockets are")
        ->envname("RINGBACK_DIRECTORY")
        ->capture_default_str();
    return sub;
  };
  CLI::App* const serving = add("serve", "Serve until SIGTERM or SIGINT");
  serving->add_option("--domain-memory", mebibytes, "Memory that a domain can grant, in MiB")
      ->check(CLI::Range(1u, 1024u * 1024))
      ->capture_default_str();
  xenstore::server::Quota quota;
  serving->add_option("--entry-nb", quota.entry_nb, "Nodes of the store that a domain can own")
      ->capture_default_str();
  serving->add_option("--watch-nb", quota.watch_nb, "Watches that a domain can have")
      ->capture_default_str();
  serving->callback([&] { status = serve(directory, mebibytes, quota); });

  CLI::App* const executing =
      add("exec", "Run a command in a domain, which lives as long as a command runs in it");
  executing->add_option("DOMID", domain, "The domain; 0 is dom0")
      ->required()
      ->check(CLI::Range(0u, 32751u));
  executing->footer("Usage: ringback-hypervisor exec [OPTIONS] DOMID -- COMMAND...");
  executing->callback([&] { status = exec(directory, domain, std::move(command)); });

  CLI::App* const listing = add("list", "Tell what each domain holds");
  listing->callback([&] { status = list(directory); });

  try {
    app.parse(static_cast<int>(dashes - argv), argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : misused;
  }
  // Not CLI11's to require: it would name this before an option that it does not know.
  if (app.get_subcommands().empty()) {
    std::fprintf(stderr, "ringback-hypervisor: which command? There are serve, exec and list.\n");
    return misused;
  }
  return status;
}
