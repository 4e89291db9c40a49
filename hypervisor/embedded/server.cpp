#include "hypervisor/embedded/server.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <filesystem>

#include "hypervisor/embedded/domains.hpp"
#include "hypervisor/embedded/handle_session.hpp"
#include "hypervisor/embedded/xen.hpp"

namespace ringback::hypervisor::embedded {

namespace {

// Each program, handle and domain has descriptors here.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void remove_domain_directories(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    if (entry.path().filename().string().starts_with("domain-"))
      std::filesystem::remove_all(entry.path(), ignored);
}

// A connection to control: keeps the domain that it joined alive, and lists them all.
class ControlSession final : public Session {
 public:
  explicit ControlSession(Domains& domains) : domains_(domains) {}
  ~ControlSession() override {
    if (joined_) domains_.leave(*joined_);
  }

  bool answer(const Incoming& in, Outgoing& out) override {
    switch (in.header.call) {
      case Call::join:
        if (joined_) return false;
        join(in.header.domain, out.reply);
        return true;
      case Call::list:
        list(in.header.domain, out);
        return true;
      default:
        return false;
    }
  }

 private:
  void join(std::uint32_t id, Reply& reply) {
    if (id >= DOMID_FIRST_RESERVED) {
      reply.error = EINVAL;
      return;
    }
    const auto domain = static_cast<DomainId>(id);
    if (const auto joined = domains_.join(domain))
      joined_ = domain;
    else
      reply.error = static_cast<std::uint32_t>(joined.error().code);
  }

  void list(std::uint32_t from, Outgoing& out) const {
    for (const DomainCounts& counts : domains_.counts(from, max_words / counts_words)) {
      const auto words = std::bit_cast<std::array<std::uint32_t, counts_words>>(counts);
      out.words.insert(out.words.end(), words.begin(), words.end());
      ++out.reply.value;
    }
  }

  Domains& domains_;
  std::optional<DomainId> joined_;
};

class SocketServer final : public Server {
 public:
  SocketServer(EventLoop& loop, ServerOptions options, Descriptor directory)
      : loop_(loop), options_(std::move(options)), directory_(std::move(directory)) {}
  ~SocketServer() override {
    domains_.keep_pages();
    ::unlink(control_path(options_.directory).c_str());
  }

  Result<void> start() {
    ::unlink(control_path(options_.directory).c_str());
    remove_domain_directories(options_.directory);
    if (auto made = domains_.create(0); !made) return made;
    // Last, so that whoever can connect finds everything there.
    auto control = Listener::open(loop_, acceptor_, control_path(options_.directory),
                                  [this] { return std::make_unique<ControlSession>(domains_); });
    if (!control) return tl::unexpected(control.error());
    control_ = std::move(*control);
    return {};
  }

 private:
  EventLoop& loop_;
  const ServerOptions options_;
  const Descriptor directory_;  // locked
  Acceptor acceptor_;
  Domains domains_{loop_, acceptor_, options_,
                   [this](DomainId domain) { return make_handle_session(domains_, domain); }};
  std::unique_ptr<Listener> control_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::open(EventLoop& loop, ServerOptions options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  Descriptor directory(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return system_failure("cannot open the directory " + options.directory);
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0)
    return failure(EBUSY, "another server serves " + options.directory +
                              ": stop it, or choose another --directory");
  raise_descriptor_limit();
  auto server = std::make_unique<SocketServer>(loop, std::move(options), std::move(directory));
  if (auto started = server->start(); !started) return tl::unexpected(started.error());
  return server;
}

}  // namespace ringback::hypervisor::embedded
