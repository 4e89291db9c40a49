#include "hypervisor/simulated.hpp"

#include <algorithm>
#include <cstdlib>

namespace ringback::hypervisor {

class SimulatedEventChannels final : public EventChannels {
 public:
  SimulatedEventChannels(Simulated& world, DomainId domain) : world_(world), domain_(domain) {}

  int fd() const override { return -1; }
  Result<Port> bind_interdomain(DomainId remote, Port remote_port) override {
    const auto found = world_.channels_.find({remote, remote_port});
    if (found == world_.channels_.end() || found->second.remote != domain_ ||
        found->second.remote_port != 0)
      return failure(EINVAL, "no such port waits for this domain");
    const Port port = world_.next_port_++;
    world_.channels_[{domain_, port}] = {remote, remote_port, false, false, 0};
    found->second.remote_port = port;
    return port;
  }
  Result<Port> bind_unbound(DomainId remote) override {
    const Port port = world_.next_port_++;
    world_.channels_[{domain_, port}] = {remote, 0, false, false, 0};
    return port;
  }
  void unbind(Port port) override {
    const auto found = world_.channels_.find({domain_, port});
    if (found == world_.channels_.end()) return;
    const auto peer = world_.channels_.find({found->second.remote, found->second.remote_port});
    if (peer != world_.channels_.end()) peer->second.remote_port = 0;
    world_.channels_.erase(found);
  }
  void notify(Port port) override {
    const auto& channel = world_.channels_[{domain_, port}];
    const auto peer = world_.channels_.find({channel.remote, channel.remote_port});
    if (peer == world_.channels_.end()) return;
    peer->second.pending = true;
    ++peer->second.notified;
  }
  std::optional<Port> pending() override {
    for (auto& [key, channel] : world_.channels_) {
      if (key.first != domain_ || !channel.pending || channel.masked) continue;
      channel.pending = false;
      channel.masked = true;
      return key.second;
    }
    return std::nullopt;
  }
  void unmask(Port port) override { world_.channels_[{domain_, port}].masked = false; }

 private:
  Simulated& world_;
  const DomainId domain_;
};

class SimulatedGrantUser final : public GrantUser {
 public:
  SimulatedGrantUser(Simulated& world, DomainId domain) : world_(world), domain_(domain) {}

  Result<Mapping> map(DomainId domain, std::span<const GrantRef> refs, Access access) override {
    // One page only: plain memory can't be mapped next to other plain memory.
    if (refs.size() != 1) return failure(EINVAL, "the simulation maps one page at a time");
    std::byte* page = world_.resolve(domain_, domain, refs.front(), access == Access::read_write);
    if (page == nullptr) return failure(EINVAL, "no such grant");
    ++world_.mappings_;
    return Mapping(&world_, page, 1, [](void* world, void*, std::uint32_t) {
      --static_cast<Simulated*>(world)->mappings_;
    });
  }

  Result<void> copy(std::span<Copy> batch) override {
    for (Copy& copy : batch) copy.status = run(copy);
    return {};
  }

 private:
  static std::size_t left_in_page(const std::byte* at) {
    return page_size - reinterpret_cast<std::uintptr_t>(at) % page_size;
  }

  std::int16_t run(const Copy& copy) const {
    const auto end = [&](const Copy::xengnttab_copy_ptr& side, bool grant,
                         bool write) -> std::byte* {
      if (!grant) return static_cast<std::byte*>(side.virt);
      std::byte* page = world_.resolve(domain_, side.foreign.domid, side.foreign.ref, write);
      return page == nullptr ? nullptr : page + side.foreign.offset;
    };
    const bool from_grant = (copy.flags & GNTCOPY_source_gref) != 0;
    const bool to_grant = (copy.flags & GNTCOPY_dest_gref) != 0;
    if (from_grant && copy.source.foreign.offset + copy.len > page_size) return GNTST_bad_copy_arg;
    if (to_grant && copy.dest.foreign.offset + copy.len > page_size) return GNTST_bad_copy_arg;
    const std::byte* from = end(copy.source, from_grant, false);
    std::byte* to = end(copy.dest, to_grant, true);
    if (from == nullptr || to == nullptr) return GNTST_bad_gntref;
    std::copy_n(from, copy.len, to);
    for (std::size_t done = 0; done < copy.len; ++world_.pieces_copied_)
      done += std::min(left_in_page(from + done), left_in_page(to + done));
    return GNTST_okay;
  }

  Simulated& world_;
  const DomainId domain_;
};

class SimulatedGrantSharer final : public GrantSharer {
 public:
  SimulatedGrantSharer(Simulated& world, DomainId domain) : share_{world, domain} {}

  Result<SharedPages> share(DomainId with, std::uint32_t pages, Access access) override {
    void* memory = std::aligned_alloc(page_size, pages * page_size);
    if (memory == nullptr) return failure(ENOMEM, "no memory to share");
    std::fill_n(static_cast<std::byte*>(memory), pages * page_size, std::byte{});
    std::vector<GrantRef> refs;
    for (std::uint32_t i = 0; i < pages; ++i) {
      refs.push_back(share_.world.next_ref_++);
      share_.world.grants_[{share_.domain, refs.back()}] = {
          with, access, static_cast<std::byte*>(memory) + i * page_size};
    }
    return SharedPages(&share_, memory, std::move(refs), &release);
  }

 private:
  struct Share {
    Simulated& world;
    DomainId domain;
  };
  static void release(void* share, void* memory, std::uint32_t pages) {
    const auto* first = static_cast<std::byte*>(memory);
    std::erase_if(static_cast<Share*>(share)->world.grants_, [&](const auto& grant) {
      return grant.second.page >= first && grant.second.page < first + pages * page_size;
    });
    std::free(memory);
  }
  Share share_;
};

std::unique_ptr<EventChannels> Simulated::event_channels(DomainId domain) {
  return std::make_unique<SimulatedEventChannels>(*this, domain);
}
std::unique_ptr<GrantUser> Simulated::grant_user(DomainId domain) {
  return std::make_unique<SimulatedGrantUser>(*this, domain);
}
std::unique_ptr<GrantSharer> Simulated::grant_sharer(DomainId domain) {
  return std::make_unique<SimulatedGrantSharer>(*this, domain);
}

std::byte* Simulated::resolve(DomainId user, DomainId domain, GrantRef ref, bool write) const {
  const auto found = grants_.find({domain, ref});
  if (found == grants_.end() || found->second.to != user) return nullptr;
  if (write && found->second.access != Access::read_write) return nullptr;
  return found->second.page;
}

}  // namespace ringback::hypervisor
