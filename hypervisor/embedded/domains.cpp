#include "hypervisor/embedded/domains.hpp"

#include <filesystem>

#include "hypervisor/embedded/wake_up.hpp"

namespace ringback::hypervisor::embedded {

constexpr auto settle_again_after = std::chrono::milliseconds(2);

Domains::~Domains() {
  while (!domains_.empty()) destroy(domains_.begin()->first);
  if (settling_) loop_.cancel(*settling_);
}

Result<void> Domains::create(DomainId domain) {
  auto made = make(domain);
  if (!made) destroy(domain);
  return made;
}

Result<void> Domains::make(DomainId domain) {
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

  auto listener = Listener::open(loop_, acceptor_, hypervisor_path(options_.directory, domain),
                                 [this, domain] { return make_session_(domain); });
  if (!listener) return tl::unexpected(listener.error());
  made.listener = std::move(*listener);
  return options_.on_domain_created(domain);
}

void Domains::destroy(DomainId domain) {
  domains_.at(domain).listener.reset();  // and with it the sessions, which close their handles
  if (machine_.exists(domain)) {
    machine_.destroy_domain(domain);
    options_.on_domain_destroyed(domain);
  }
  domains_.erase(domain);
  std::error_code ignored;
  std::filesystem::remove_all(domain_directory(options_.directory, domain), ignored);
}

Result<void> Domains::join(DomainId domain) {
  if (!domains_.contains(domain))
    if (auto created = create(domain); !created) return created;
  ++domains_.at(domain).commands;
  return {};
}

void Domains::leave(DomainId domain) {
  if (--domains_.at(domain).commands == 0 && domain != 0) destroy(domain);
}

std::vector<DomainCounts> Domains::counts(std::uint32_t from, std::size_t limit) const {
  std::vector<DomainCounts> counts;
  for (const auto& [id, domain] : domains_) {
    if (id < from) continue;
    if (counts.size() == limit) break;
    counts.push_back(machine_.counts(id));
    counts.back().commands = domain.commands;
  }
  return counts;
}

HandleId Domains::open(DomainId domain, Descriptor eventfd) {
  const HandleId handle = machine_.open(domain);
  eventfds_.emplace(handle, std::move(eventfd));
  return handle;
}

void Domains::close(HandleId handle) {
  eventfds_.erase(handle);
  machine_.close(handle);
  settle();
}

void Domains::settle() {
  if (!machine_.settle() || settling_) return;
  settling_ = loop_.after(settle_again_after, [this] {
    settling_.reset();
    settle();
  });
}

std::optional<int> Domains::eventfd(HandleId handle) const {
  const auto found = eventfds_.find(handle);
  return found != eventfds_.end() ? std::optional(found->second.get()) : std::nullopt;
}

void Domains::wake(HandleId handle) {
  if (const auto fd = eventfd(handle)) wake_up(*fd);
}

void Domains::discard(DomainId domain, std::uint32_t first_page, std::uint32_t count) {
  if (keeping_pages_) return;
  ::fallocate(memory(domain), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(DomainMemory::page_at(options_.pages, first_page)),
              static_cast<off_t>(count * page_size));
}

}  // namespace ringback::hypervisor::embedded
