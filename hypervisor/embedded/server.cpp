#include "hypervisor/embedded/server.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "hypervisor/embedded/wake_up.hpp"
#include "hypervisor/embedded/xen.hpp"

namespace ringback::hypervisor::embedded {

namespace {

constexpr std::uint32_t listed_at_once = max_words / counts_words;
constexpr auto settle_again_after = std::chrono::milliseconds(2);

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

}  // namespace

std::string control_path(const std::string& directory) {
  return directory + "/control";
}
std::string domain_directory(const std::string& directory, DomainId domain) {
  return directory + "/domain-" + std::to_string(domain);
}
std::string hypervisor_path(const std::string& directory, DomainId domain) {
  return domain_directory(directory, domain) + "/hypervisor";
}

Result<std::unique_ptr<Server>> Server::open(EventLoop& loop, ServerOptions options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  Descriptor directory(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return system_failure("cannot open the directory " + options.directory);
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0)
    return failure(EBUSY, "another server serves " + options.directory +
                              ": stop it, or choose another --directory");
  raise_descriptor_limit();
  std::unique_ptr<Server> server(new Server(loop, std::move(options), std::move(directory)));
  if (auto started = server->start(); !started) return tl::unexpected(started.error());
  return server;
}

Server::Server(EventLoop& loop, ServerOptions options, Descriptor directory)
    : loop_(loop), options_(std::move(options)), directory_(std::move(directory)) {}

Server::~Server() {
  stopping_ = true;
  while (!connections_.empty()) drop(connections_.begin()->first);
  while (!domains_.empty()) destroy_domain(domains_.begin()->first);
  if (settling_) loop_.cancel(*settling_);
  if (!control_) return;
  loop_.remove(control_.get());
  ::unlink(control_path(options_.directory).c_str());
}

Result<void> Server::start() {
  ::unlink(control_path(options_.directory).c_str());
  remove_domain_directories(options_.directory);
  if (auto made = create_domain(0); !made) return made;
  // Last, so that whoever can connect finds everything there.
  auto control = listen(control_path(options_.directory), [this](Descriptor socket) {
    add({.socket = std::move(socket), .control = true});
  });
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  return {};
}

Result<void> Server::create_domain(DomainId domain) {
  auto made = make_domain(domain);
  if (!made) destroy_domain(domain);
  return made;
}

Result<void> Server::make_domain(DomainId domain) {
  const std::string what = "cannot make domain " + std::to_string(domain);
  const std::string directory = domain_directory(options_.directory, domain);
  Domain& made = domains_[domain];
  std::error_code error;
  std::filesystem::create_directory(directory, error);
  if (error) return system_failure(what + ": " + directory, error.value());

  const std::size_t size = DomainMemory::size(options_.pages);
  auto fd = make_shared_memory(("ringback domain " + std::to_string(domain)).c_str(), size);
  if (!fd) return system_failure(what + ": memory", fd.error());
  auto memory = SharedMemory::map(fd->get(), size);
  if (!memory) return system_failure(what + ": memory", memory.error());
  made.memory_fd = std::move(*fd);
  made.memory = std::move(*memory);
  const auto created =
      machine_.create_domain(domain, DomainMemory(made.memory.base(), options_.pages));
  if (!created) return system_failure(what, created.error());

  auto listener = listen(
      hypervisor_path(options_.directory, domain),
      [this, domain](Descriptor socket) { add({.socket = std::move(socket), .domain = domain}); });
  if (!listener) return tl::unexpected(listener.error());
  made.listener = std::move(*listener);
  return options_.on_domain_created(domain);
}

void Server::destroy_domain(DomainId domain) {
  const auto found = domains_.find(domain);
  if (found == domains_.end()) return;
  std::vector<int> sockets;
  for (const auto& [socket, connection] : connections_)
    if (!connection->control && connection->domain == domain) sockets.push_back(socket);
  for (const int socket : sockets) drop(socket);
  if (found->second.listener) loop_.remove(found->second.listener.get());
  if (machine_.exists(domain)) {
    machine_.destroy_domain(domain);
    options_.on_domain_destroyed(domain);
  }
  domains_.erase(found);
  std::error_code ignored;
  std::filesystem::remove_all(domain_directory(options_.directory, domain), ignored);
}

Result<Descriptor> Server::listen(const std::string& path, std::function<void(Descriptor)> accept) {
  auto listener = listen_at(path);
  if (!listener) return system_failure("cannot listen at " + path, listener.error());
  const int fd = listener->get();
  auto added = loop_.add(fd, EPOLLIN, [this, fd, accept = std::move(accept)](std::uint32_t) {
    accept_from(fd, accept);
  });
  if (!added) return tl::unexpected(added.error());
  return std::move(*listener);
}

void Server::accept_from(int listener, const std::function<void(Descriptor)>& accept) {
  if (auto socket = acceptor_.accept(listener, SOCK_CLOEXEC)) accept(std::move(socket));
}

void Server::add(Connection connection) {
  const int socket = connection.socket.get();
  const auto watched = loop_.add(socket, EPOLLIN, [this, socket](std::uint32_t) {
    const auto found = connections_.find(socket);
    if (found != connections_.end() && !serve(*found->second)) drop(socket);
  });
  if (watched) connections_[socket] = std::make_unique<Connection>(std::move(connection));
}

void Server::drop(int socket) {
  const auto found = connections_.find(socket);
  const std::unique_ptr<Connection> connection = std::move(found->second);
  connections_.erase(found);
  loop_.remove(socket);
  if (connection->handle != 0) {
    machine_.close(connection->handle);
    eventfds_.erase(connection->handle);
    settle();
  }
  if (connection->joined && --domains_.at(connection->domain).commands == 0 &&
      connection->domain != 0)
    destroy_domain(connection->domain);
}

bool Server::serve(Connection& connection) {
  const int socket = connection.socket.get();
  auto in = receive<Request>(socket, MSG_DONTWAIT);
  if (!in) return in.error() == EAGAIN;
  if (in->header.version != layout_version || !in->descriptors.empty()) return false;
  Outgoing out;
  const bool known = connection.control       ? control(connection, *in, out)
                     : connection.handle == 0 ? open_handle(connection, *in, out)
                                              : operate(connection, *in, out);
  // A client that does not read its replies is not one.
  return known && send(socket, out.reply, out.words, out.descriptors, MSG_DONTWAIT).has_value();
}

bool Server::control(Connection& connection, const Incoming& in, Outgoing& out) {
  switch (in.header.call) {
    case Call::join:
      if (connection.joined) return false;
      join(connection, in.header.domain, out);
      return true;
    case Call::list:
      list(in.header.domain, out);
      return true;
    default:
      return false;
  }
}

void Server::join(Connection& connection, std::uint32_t id, Outgoing& out) {
  if (id >= DOMID_FIRST_RESERVED) {
    out.reply.error = EINVAL;
    return;
  }
  const auto domain = static_cast<DomainId>(id);
  if (!domains_.contains(domain)) {
    if (auto made = create_domain(domain); !made) {
      out.reply.error = static_cast<std::uint32_t>(made.error().code);
      return;
    }
  }
  connection.domain = domain;
  connection.joined = true;
  ++domains_.at(domain).commands;
}

void Server::list(std::uint32_t from, Outgoing& out) {
  for (const auto& [id, domain] : domains_) {
    if (id < from) continue;
    if (out.reply.value++ == listed_at_once) break;
    DomainCounts counts = machine_.counts(id);
    counts.commands = domain.commands;
    const auto words = std::bit_cast<std::array<std::uint32_t, counts_words>>(counts);
    out.words.insert(out.words.end(), words.begin(), words.end());
  }
}

bool Server::open_handle(Connection& connection, Incoming& in, Outgoing& out) {
  const DomainId id = connection.domain;
  connection.kind = in.header.call;
  out.reply.value = id;
  switch (in.header.call) {
    case Call::open_events:
      // Made here, so that what is written to on an event is an eventfd and nothing else.
      connection.eventfd = Descriptor(::eventfd(0, EFD_CLOEXEC));
      if (!connection.eventfd) {
        out.reply.error = static_cast<std::uint32_t>(errno);
        return true;
      }
      out.descriptors = {domains_.at(id).memory_fd.get(), connection.eventfd.get()};
      connection.handle = machine_.open(id);
      eventfds_.emplace(connection.handle, connection.eventfd.get());
      return true;
    case Call::open_mapper: {
      auto fd = make_shared_memory("ringback epoch", page_size);
      if (!fd) {
        out.reply.error = static_cast<std::uint32_t>(fd.error());
        return true;
      }
      auto epoch = SharedMemory::map(fd->get(), page_size);
      if (!epoch) {
        out.reply.error = static_cast<std::uint32_t>(epoch.error());
        return true;
      }
      out.passed_on = std::move(*fd);
      out.descriptors = {out.passed_on.get()};
      connection.epoch = std::move(*epoch);
      connection.handle =
          machine_.open(id, reinterpret_cast<std::uint64_t*>(connection.epoch.base()));
      return true;
    }
    case Call::open_sharer:
      connection.handle = machine_.open(id);
      return true;
    default:
      return false;
  }
}

// A handle's calls after it was opened.
bool Server::operate(Connection& connection, const Incoming& in, Outgoing& out) {
  if (in.header.call == Call::close) {
    eventfds_.erase(connection.handle);
    machine_.close(std::exchange(connection.handle, 0));
    settle();
    return true;
  }
  if (in.header.domain > UINT16_MAX) {
    out.reply.error = EINVAL;
    return true;
  }
  if (connection.kind == Call::open_events) return events(connection, in, out);
  const bool known = grants(connection, in, out);
  settle();
  return known;
}

namespace {

// Puts an answer's value or its error into the reply.
template <class T, class Use>
void put(const Answer<T>& answer, Reply& reply, Use use) {
  if (answer)
    use(*answer);
  else
    reply.error = static_cast<std::uint32_t>(answer.error());
}
void put(const Answer<void>& answer, Reply& reply) {
  if (!answer) reply.error = static_cast<std::uint32_t>(answer.error());
}

UnmapNotification notification_of(const Request& request) {
  UnmapNotification notification;
  if (request.notify_offset != none) notification.offset = request.notify_offset;
  if (request.notify_port != none) notification.port = request.notify_port;
  return notification;
}

}  // namespace

bool Server::events(const Connection& connection, const Incoming& in, Outgoing& out) {
  const HandleId handle = connection.handle;
  const auto domain = static_cast<DomainId>(in.header.domain);
  const auto put_port = [&](const Answer<Port>& answer) {
    put(answer, out.reply, [&](Port port) { out.reply.value = port; });
    return true;
  };
  switch (in.header.call) {
    case Call::bind_unbound:
      return put_port(machine_.bind_unbound(handle, domain));
    case Call::bind_remote:
      return put_port(machine_.bind_interdomain(handle, domain, in.header.port));
    case Call::bind_virq:
      return put_port(machine_.bind_virq(handle, in.header.port));
    case Call::unbind:
      put(machine_.unbind(handle, in.header.port), out.reply);
      return true;
    case Call::restrict:
      put(machine_.restrict(handle, domain), out.reply);
      return true;
    case Call::peer:
      put(machine_.peer(handle, in.header.port), out.reply, [&](const Machine::Peer& peer) {
        out.reply.tag = peer.tag;
        out.reply.value = peer.port;
        const auto eventfd = eventfds_.find(peer.owner);
        if (eventfd == eventfds_.end()) return;
        out.reply.id = peer.owner;
        out.reply.domain_id = machine_.domain_id(peer.domain);
        out.descriptors = {domains_.at(peer.domain).memory_fd.get(), eventfd->second};
      });
      return true;
    default:
      return false;
  }
}

bool Server::grants(const Connection& connection, const Incoming& in, Outgoing& out) {
  const HandleId handle = connection.handle;
  const auto domain = static_cast<DomainId>(in.header.domain);
  const bool mapper = connection.kind == Call::open_mapper;
  const auto attach = [&](DomainId whose) {
    out.reply.pages = options_.pages;
    out.descriptors = {domains_.at(whose).memory_fd.get()};
  };
  if (mapper) switch (in.header.call) {
      case Call::map:
        put(machine_.map(handle, domain, in.words, in.header.writable != 0,
                         notification_of(in.header)),
            out.reply, [&](std::uint64_t id) {
              out.reply.id = id;
              attach(domain);
            });
        return true;
      case Call::unmap:
        put(machine_.unmap(handle, in.header.id), out.reply);
        return true;
      case Call::copy_access:
        out.reply.value = machine_.exists(domain);
        if (machine_.may_copy(connection.domain, domain)) attach(domain);
        return true;
      default:
        return false;
    }
  switch (in.header.call) {
    case Call::share: {
      if (in.header.port > max_words) return false;
      auto share = machine_.share(handle, domain, in.header.port, in.header.writable != 0,
                                  notification_of(in.header));
      put(share, out.reply, [&](const Machine::Share& made) {
        out.reply.id = made.id;
        out.words = made.refs;
        attach(connection.domain);
      });
      return true;
    }
    case Call::unshare:
      put(machine_.unshare(handle, in.header.id), out.reply);
      return true;
    default:
      return false;
  }
}

void Server::settle() {
  if (!machine_.settle() || settling_) return;
  settling_ = loop_.after(settle_again_after, [this] {
    settling_.reset();
    settle();
  });
}

void Server::wake(HandleId handle) {
  const auto found = eventfds_.find(handle);
  if (found == eventfds_.end()) return;
  wake_up(found->second);
}

void Server::discard(DomainId domain, std::uint32_t first_page, std::uint32_t count) {
  if (stopping_)
    return;  // programs that outlive us would see their rings zeroed, and blame each other
  ::fallocate(domains_.at(domain).memory_fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(DomainMemory::page_at(options_.pages, first_page)),
              static_cast<off_t>(count * page_size));
}

}  // namespace ringback::hypervisor::embedded
