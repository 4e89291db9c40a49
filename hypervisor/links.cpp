#include "hypervisor/links.hpp"

#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include <string_view>

namespace ringback::hypervisor {
namespace {

struct Put {
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using OwnedLink = std::unique_ptr<rtnl_link, Put>;

struct FreeCache {
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
};

// libnl's codes are its own; what a reader needs is in the text.
tl::unexpected<Error> netlink_failure(const std::string& what, int code) {
  return failure(EIO, what + ": " + nl_geterror(code));
}

std::string text(const char* from) {
  return from == nullptr ? std::string() : std::string(from);
}

}  // namespace

void Links::Close::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

Result<Links> Links::open() {
  Links links(nl_socket_alloc());
  if (!links.socket_) return failure(ENOMEM, "cannot make a netlink socket");
  if (const int code = nl_connect(links.socket_.get(), NETLINK_ROUTE); code < 0)
    return netlink_failure("cannot reach rtnetlink", code);
  return links;
}

Result<std::vector<Link>> Links::list() {
  nl_cache* filled = nullptr;
  if (const int code = rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &filled); code < 0)
    return netlink_failure("cannot list the network devices", code);
  const std::unique_ptr<nl_cache, FreeCache> cache(filled);
  std::vector<Link> links;
  for (auto* object = nl_cache_get_first(filled); object != nullptr;
       object = nl_cache_get_next(object)) {
    auto* link =
        reinterpret_cast<rtnl_link*>(object);  // libnl's own way: every object of the cache is one
    const char* kind = rtnl_link_get_type(link);
    links.push_back({.name = text(rtnl_link_get_name(link)),
                     .alias = text(rtnl_link_get_ifalias(link)),
                     .tap = kind != nullptr && kind == std::string_view("tun")});
  }
  return links;
}

Result<void> Links::set_alias(const std::string& name, const std::string& alias) {
  const OwnedLink device(rtnl_link_alloc());
  const OwnedLink change(rtnl_link_alloc());
  if (!device || !change) return failure(ENOMEM, "cannot describe a network device");
  rtnl_link_set_ifindex(device.get(), static_cast<int>(if_nametoindex(name.c_str())));
  rtnl_link_set_ifalias(change.get(), alias.c_str());
  if (const int code = rtnl_link_change(socket_.get(), device.get(), change.get(), 0); code < 0)
    return netlink_failure("cannot set the alias of " + name, code);
  return {};
}

Result<void> Links::remove(const std::string& name) {
  const OwnedLink device(rtnl_link_alloc());
  if (!device) return failure(ENOMEM, "cannot describe a network device");
  rtnl_link_set_ifindex(device.get(), static_cast<int>(if_nametoindex(name.c_str())));
  if (const int code = rtnl_link_delete(socket_.get(), device.get()); code < 0)
    return netlink_failure("cannot remove the network device " + name, code);
  return {};
}

}  // namespace ringback::hypervisor
