#include "conformance.hpp"

#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
#include <xenstore.h>
}

namespace conformance {

namespace {
int broken = 0;
}

void claim(const char* text, bool holds) {
  std::printf("%s  %s\n", holds ? "holds " : "BROKEN", text);
  std::fflush(stdout);
  if (!holds) ++broken;
}

int broken_claims() {
  return broken;
}

std::uint32_t own_domain() {
  std::uint32_t domain = 0;
  if (xs_handle* const store = xs_open(0)) {
    unsigned length;
    if (void* const value = xs_read(store, XBT_NULL, "domid", &length)) {
      domain = static_cast<std::uint32_t>(std::strtoul(static_cast<char*>(value), nullptr, 10));
      std::free(value);
    }
    xs_close(store);
  }
  return domain;
}

int next_event(xenevtchn_handle* events, int milliseconds) {
  pollfd waiting{.fd = xenevtchn_fd(events), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, milliseconds) != 1) return -1;
  return xenevtchn_pending(events);
}

bool quiet(xenevtchn_handle* events) {
  return next_event(events, 50) == -1;
}

}  // namespace conformance

int main(int argc, char** argv) {
  using namespace conformance;
  if (argc == 2 && std::strcmp(argv[1], "peer") == 0) return run_peer();
  check_events();
  check_mappings();
  check_unmap_notifications();
  check_copies();
  if (const char* const prefix = std::getenv("CONFORMANCE_PEER")) check_other_domain(prefix);
  std::printf("%d claims broken\n", broken_claims());
  return broken_claims() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
