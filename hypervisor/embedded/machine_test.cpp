#include "hypervisor/embedded/machine.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "hypervisor/embedded/xen.hpp"

using namespace ringback::hypervisor;
using namespace ringback::hypervisor::embedded;

namespace {

constexpr std::uint32_t pages = 64;

// Domains on plain memory, and a record of what the machine had done outside.
struct World : Host {
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  DomainMemory add(DomainId domain) {
    const std::size_t size = DomainMemory::size(pages);
    auto& block = blocks.emplace_back(static_cast<std::byte*>(std::aligned_alloc(page_size, size)));
    std::memset(block.get(), 0, size);
    const DomainMemory memory(block.get(), pages);
    REQUIRE(machine.create_domain(domain, memory));
    return memories[domain] = memory;
  }

  bool pending(DomainId domain, Port port) {
    return (memories[domain].pending(word_of(port)).load() & bit_of(port)) != 0;
  }
  PortState state(DomainId domain, Port port) {
    return state_of(memories[domain].tag(port).load());
  }
  unsigned flags(DomainId domain, GrantRef ref) { return memories[domain].grant(ref).flags; }

  void wake(HandleId handle) override { woken.push_back(handle); }
  void discard(DomainId, std::uint32_t first, std::uint32_t count) override {
    for (std::uint32_t i = 0; i < count; ++i) discarded.push_back(first + i);
  }

  std::vector<std::unique_ptr<std::byte, Free>> blocks;
  std::map<DomainId, DomainMemory> memories;
  std::vector<HandleId> woken;
  std::vector<std::uint32_t> discarded;
  Machine machine{*this};
};

// Domain 0 and domain 7, a handle in each, and a channel between them.
struct Joined : World {
  Joined() {
    add(0);
    add(7);
    back = machine.open(0);
    front = machine.open(7);
    front_port = *machine.bind_unbound(front, 0);
    back_port = *machine.bind_interdomain(back, 7, front_port);
    woken.clear();
  }
  HandleId back = 0;
  HandleId front = 0;
  Port front_port = 0;
  Port back_port = 0;
};

// Domain 7 grants a page to domain 0.
struct Granted : World {
  Granted() {
    add(0);
    add(7);
    mapper = machine.open(0, &epoch);
    sharer = machine.open(7);
    const auto share = *machine.share(sharer, 0, 1, true);
    share_id = share.id;
    ref = share.refs.front();
  }
  std::uint64_t epoch = 0;
  HandleId mapper = 0;
  HandleId sharer = 0;
  std::uint64_t share_id = 0;
  GrantRef ref = 0;
};

int error(const auto& answer) {
  return answer ? 0 : answer.error();
}

}  // namespace

TEST_CASE("a domid can't be used twice at a time nor be one of Xen's own") {
  World world;
  const DomainMemory memory = world.add(7);
  CHECK(error(world.machine.create_domain(7, memory)) == EEXIST);
  CHECK(error(world.machine.create_domain(DOMID_SELF, memory)) == EINVAL);
}

TEST_CASE("a domain that comes back is told apart from its former life") {
  World world;
  const DomainMemory memory = world.add(7);
  const auto former = world.machine.domain_id(7);
  world.machine.destroy_domain(7);
  CHECK_FALSE(memory.alive());
  world.add(7);
  CHECK(world.machine.domain_id(7) != former);
}

TEST_CASE("joining a port makes the joiner pending and wakes it") {
  World world;
  world.add(0);
  world.add(7);
  const HandleId front = world.machine.open(7);
  const HandleId back = world.machine.open(0);
  const Port waiting = *world.machine.bind_unbound(front, 0);
  CHECK(world.state(7, waiting) == PortState::unbound);
  const Port joined = *world.machine.bind_interdomain(back, 7, waiting);
  CHECK(world.state(7, waiting) == PortState::interdomain);
  CHECK(world.state(0, joined) == PortState::interdomain);
  CHECK(world.pending(0, joined));
  CHECK_FALSE(world.pending(7, waiting));
  CHECK(world.woken == std::vector{back});
}

TEST_CASE("each end is told of the other") {
  Joined world;
  const auto peer = *world.machine.peer(world.back, world.back_port);
  CHECK(peer.domain == 7);
  CHECK(peer.port == world.front_port);
  CHECK(peer.owner == world.front);
  CHECK(peer.tag == world.memories[0].tag(world.back_port).load());
  CHECK(error(world.machine.peer(world.back, world.back_port + 1)) == ENOTCONN);
}

TEST_CASE("only the domain that a port waits for may join it and only once") {
  Joined world;
  world.add(8);
  const HandleId stranger = world.machine.open(8);
  const Port waiting = *world.machine.bind_unbound(world.front, 0);
  CHECK(error(world.machine.bind_interdomain(stranger, 7, waiting)) == EINVAL);
  CHECK(error(world.machine.bind_interdomain(world.back, 7, world.front_port)) == EINVAL);
  CHECK(error(world.machine.bind_interdomain(world.back, 7, 99999999)) == EINVAL);
  CHECK(error(world.machine.bind_interdomain(world.back, 9, waiting)) == ESRCH);
}

TEST_CASE("when one end goes the other waits for the same domain again and is woken once") {
  Joined world;
  const PortTag before = world.memories[7].tag(world.front_port).load();
  world.machine.close(world.back);
  CHECK(world.state(7, world.front_port) == PortState::unbound);
  CHECK(world.memories[7].tag(world.front_port).load() != before);
  CHECK(world.woken == std::vector{world.front});
  const HandleId restarted = world.machine.open(0);
  CHECK(world.machine.bind_interdomain(restarted, 7, world.front_port));
}

TEST_CASE("when a domain dies its peers wait again") {
  Joined world;
  world.machine.destroy_domain(7);
  CHECK(world.state(0, world.back_port) == PortState::unbound);
  CHECK(world.machine.peer(world.back, world.back_port)->owner == 0);
  CHECK(world.machine.counts(0).ports == 1);
}

TEST_CASE("a port that is used again starts neither pending nor masked") {
  Joined world;
  DomainMemory memory = world.memories[0];
  memory.mask(word_of(world.back_port)).fetch_or(bit_of(world.back_port));
  CHECK(world.machine.unbind(world.back, world.back_port));
  CHECK(*world.machine.bind_unbound(world.back, 7) == world.back_port);
  CHECK_FALSE(world.pending(0, world.back_port));
  CHECK((memory.mask(word_of(world.back_port)).load() & bit_of(world.back_port)) == 0);
}

TEST_CASE("a handle can't let go of another handle's port") {
  Joined world;
  const HandleId other = world.machine.open(0);
  CHECK(error(world.machine.unbind(other, world.back_port)) == ENOTCONN);
  CHECK(error(world.machine.unbind(other, port_count)) == EINVAL);
}

TEST_CASE("a restricted handle binds to its domain only") {
  Joined world;
  CHECK(world.machine.restrict(world.back, 7));
  CHECK(error(world.machine.restrict(world.back, 8)) == EACCES);
  CHECK(error(world.machine.bind_unbound(world.back, 8)) == EACCES);
  CHECK(world.machine.bind_unbound(world.back, 7));
}

TEST_CASE("a virq is bound once and dom0 hears of a domain's end by one") {
  Joined world;
  const Port port = *world.machine.bind_virq(world.back, VIRQ_DOM_EXC);
  CHECK(error(world.machine.bind_virq(world.back, VIRQ_DOM_EXC)) == EEXIST);
  CHECK(error(world.machine.bind_virq(world.back, NR_VIRQS)) == EINVAL);
  world.machine.destroy_domain(7);
  CHECK(world.pending(0, port));
  CHECK(world.machine.unbind(world.back, port));
  CHECK(world.machine.bind_virq(world.back, VIRQ_DOM_EXC));
}

TEST_CASE("ports run out with an error and come back when closed") {
  World world;
  world.add(0);
  const HandleId handle = world.machine.open(0);
  for (Port port = 1; port < port_count; ++port) REQUIRE(world.machine.bind_unbound(handle, 0));
  CHECK(error(world.machine.bind_unbound(handle, 0)) == ENOSPC);
  world.machine.close(handle);
  CHECK(world.machine.counts(0).ports == 0);
}

TEST_CASE("a grant's entry says who may do what and who does") {
  Granted world;
  const GrantEntry entry = world.memories[7].grant(world.ref);
  CHECK(entry.domain == 0);
  CHECK(entry.flags == GTF_permit_access);
  CHECK(entry.frame == page_of(world.ref));
  const auto reading = *world.machine.map(world.mapper, 7, {{world.ref}}, false);
  CHECK(world.flags(7, world.ref) == (GTF_permit_access | GTF_reading));
  const auto writing = *world.machine.map(world.mapper, 7, {{world.ref}}, true);
  CHECK(world.flags(7, world.ref) == (GTF_permit_access | GTF_reading | GTF_writing));
  CHECK(world.machine.unmap(world.mapper, writing));
  CHECK(world.machine.unmap(world.mapper, reading));
  CHECK(world.flags(7, world.ref) == GTF_permit_access);
}

TEST_CASE("only what was granted to the mapper can be mapped") {
  Granted world;
  world.add(8);
  const HandleId stranger = world.machine.open(8);
  Machine& machine = world.machine;
  CHECK(error(machine.map(stranger, 7, {{world.ref}}, false)) == EINVAL);
  CHECK(error(machine.map(world.mapper, 7, {{world.ref + 1}}, false)) == EINVAL);
  CHECK(error(machine.map(world.mapper, 7, {{GrantRef{0}}}, false)) == EINVAL);
  CHECK(error(machine.map(world.mapper, 7, {{UINT32_MAX}}, false)) == EINVAL);
  CHECK(error(machine.map(world.mapper, 9, {{world.ref}}, false)) == EINVAL);
  CHECK(error(machine.map(world.mapper, 7, {}, false)) == EINVAL);
  const auto fixed = *machine.share(world.sharer, 0, 1, false);
  CHECK(error(machine.map(world.mapper, 7, fixed.refs, true)) == EINVAL);
  CHECK(machine.map(world.mapper, 7, fixed.refs, false));
}

TEST_CASE("if one ref of several is bad none is mapped") {
  Granted world;
  const std::vector<GrantRef> refs{world.ref, world.ref + 1};
  CHECK(error(world.machine.map(world.mapper, 7, refs, false)) == EINVAL);
  CHECK(world.flags(7, world.ref) == GTF_permit_access);
  CHECK(world.machine.counts(0).mappings == 0);
}

TEST_CASE("an unshared page is given back and its ref used again") {
  Granted world;
  CHECK(world.machine.unshare(world.sharer, world.share_id));
  CHECK((world.flags(7, world.ref) & GTF_permit_access) == 0);
  CHECK(world.discarded == std::vector{page_of(world.ref)});
  CHECK(world.machine.counts(7).grants == 0);
  CHECK(world.machine.counts(7).pages == 0);
  CHECK(world.machine.share(world.sharer, 0, 1, true)->refs.front() == world.ref);
}

TEST_CASE(
    "a grant that ends while it is mapped stops at once and its page goes with the last mapping") {
  Granted world;
  const auto one = *world.machine.map(world.mapper, 7, {{world.ref}}, true);
  const auto two = *world.machine.map(world.mapper, 7, {{world.ref}}, false);
  CHECK(world.machine.unshare(world.sharer, world.share_id));
  CHECK((world.flags(7, world.ref) & GTF_permit_access) == 0);
  CHECK(error(world.machine.map(world.mapper, 7, {{world.ref}}, false)) == EINVAL);
  CHECK(world.machine.unmap(world.mapper, one));
  CHECK(world.discarded.empty());
  CHECK(world.machine.unmap(world.mapper, two));
  CHECK(world.discarded == std::vector{page_of(world.ref)});
}

TEST_CASE("a page revoked under a copy is used again only when that copy has ended") {
  Granted world;
  world.epoch = 1;
  CHECK(world.machine.unshare(world.sharer, world.share_id));
  CHECK(world.discarded.empty());
  CHECK(world.machine.settle());
  CHECK(world.machine.share(world.sharer, 0, 1, true)->refs.front() != world.ref);
  CHECK(world.machine.counts(7).pages == 2);
  world.epoch = 3;  // another copy, that began after the grant had ended
  CHECK_FALSE(world.machine.settle());
  CHECK(world.discarded == std::vector{page_of(world.ref)});
}

TEST_CASE("a process killed in a copy holds no page back") {
  Granted world;
  world.epoch = 1;
  CHECK(world.machine.unshare(world.sharer, world.share_id));
  world.machine.close(world.mapper);
  CHECK_FALSE(world.machine.settle());
  CHECK(world.discarded == std::vector{page_of(world.ref)});
}

TEST_CASE("a domain's memory is for those that it granted something to and for dom0") {
  Granted world;
  world.add(8);
  CHECK(world.machine.may_copy(0, 7));
  CHECK_FALSE(world.machine.may_copy(8, 7));
  const auto share = *world.machine.share(world.sharer, 8, 2, true);
  CHECK(world.machine.may_copy(8, 7));
  CHECK(world.machine.unshare(world.sharer, share.id));
  CHECK_FALSE(world.machine.may_copy(8, 7));
  CHECK_FALSE(world.machine.may_copy(0, 9));
}

TEST_CASE("memory runs out with an error and nothing is left of the attempt") {
  Granted world;
  CHECK(error(world.machine.share(world.sharer, 0, pages, true)) == ENOSPC);
  CHECK(error(world.machine.share(world.sharer, 0, 0, true)) == EINVAL);
  CHECK(world.machine.counts(7).pages == 1);
  CHECK(world.machine.share(world.sharer, 0, pages - 1, true));
}

TEST_CASE("an unmap notification zeroes its byte and sends its event") {
  Joined world;
  const HandleId sharer = world.machine.open(7);
  const HandleId mapper = world.machine.open(0);
  const auto share = *world.machine.share(sharer, 0, 1, true);
  std::byte* const page = world.memories[7].page(page_of(share.refs.front()));
  page[5] = page[6] = std::byte{1};
  const auto mapping =
      *world.machine.map(mapper, 7, share.refs, true, {.offset = 5, .port = world.back_port});
  CHECK(world.machine.unmap(mapper, mapping));
  CHECK(page[5] == std::byte{0});
  CHECK(page[6] == std::byte{1});
  CHECK(world.pending(7, world.front_port));
  CHECK(world.woken == std::vector{world.front});
}

TEST_CASE("an unmap notification is sent even if the port's handle is closed first") {
  Joined world;
  const HandleId sharer = world.machine.open(0);
  REQUIRE(world.machine.share(sharer, 7, 1, true, {.offset = {}, .port = world.back_port}));
  world.machine.close(world.back);
  CHECK(world.state(7, world.front_port) == PortState::interdomain);
  world.machine.close(sharer);
  CHECK(world.pending(7, world.front_port));
  CHECK(world.state(7, world.front_port) == PortState::unbound);
  CHECK(world.machine.counts(0).ports == 0);
}

TEST_CASE("an unmap notification that can't be sent is refused") {
  Granted world;
  Machine& machine = world.machine;
  const std::vector<GrantRef> refs{world.ref};
  CHECK(error(machine.map(world.mapper, 7, refs, true, {.offset = 4096, .port = {}})) == EINVAL);
  CHECK(error(machine.map(world.mapper, 7, refs, false, {.offset = 0, .port = {}})) == EINVAL);
  CHECK(error(machine.map(world.mapper, 7, refs, true, {.offset = {}, .port = 77})) == EINVAL);
  CHECK(error(machine.share(world.sharer, 0, 1, true, {.offset = {}, .port = 77})) == EINVAL);
  CHECK(machine.counts(7).pages == 1);
}

TEST_CASE("what a handle held is gone when it is closed") {
  Joined world;
  const HandleId sharer = world.machine.open(7);
  const HandleId mapper = world.machine.open(0);
  const auto share = *world.machine.share(sharer, 0, 3, true);
  REQUIRE(world.machine.map(mapper, 7, share.refs, true));
  world.machine.close(sharer);
  world.machine.close(mapper);
  world.machine.close(world.front);
  world.machine.close(world.back);
  for (const DomainId domain : {DomainId{0}, DomainId{7}}) {
    const DomainCounts counts = world.machine.counts(domain);
    CHECK(counts.handles + counts.ports + counts.grants + counts.mappings + counts.pages == 0);
  }
  CHECK(world.discarded.size() == 3);
}

TEST_CASE("a mapping outlives the domain that granted it") {
  Granted world;
  const auto mapping = *world.machine.map(world.mapper, 7, {{world.ref}}, true);
  world.machine.destroy_domain(7);
  world.add(7);
  const HandleId sharer = world.machine.open(7);
  REQUIRE(world.machine.share(sharer, 0, 1, true));
  CHECK(world.machine.unmap(world.mapper, mapping));
  CHECK(world.flags(7, world.ref) == GTF_permit_access);
  CHECK(world.machine.counts(0).mappings == 0);
}
