// store_server_alone DIRECTORY [DOMAIN...]: the embedded store by itself, with a socket
// DIRECTORY/<domain> for each (0, 1 and 2 if none is named), until SIGTERM.
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "xenstore/server/socket_server.hpp"

using namespace ringback;

namespace {

Result<void> serve(const std::string& directory, bool bare) {
  auto loop = hypervisor::EventLoop::open();
  if (!loop) return tl::unexpected<Error>(loop.error());
  if (auto ready = (*loop)->stop_on_signals(); !ready) return ready;
  xenstore::server::StoreServer server(**loop);
  constexpr std::array<hypervisor::DomainId, 3> domains = {0, 1, 2};
  for (const hypervisor::DomainId domain : domains) {
    if (!bare) server.introduce(domain);
    const std::string path = directory + "/" + std::to_string(domain);
    if (auto listening = server.listen(path, domain); !listening) return listening;
  }
  return (*loop)->run();
}

}  // namespace

int main(int argc, char** argv) {
  const bool bare = argc == 3 && std::string_view(argv[2]) == "--bare";
  if (argc != 2 && !bare) {
    std::fprintf(stderr, "usage: %s DIRECTORY [--bare]\n", argv[0]);
    return 2;
  }
  const auto done = serve(argv[1], bare);
  if (!done) std::fprintf(stderr, "%s\n", done.error().what.c_str());
  return done ? 0 : 1;
}
