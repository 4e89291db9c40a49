// What Xen's C libraries promise, checked through nothing but them, so that the same program runs
// on Xen itself (in dom0) and on the embedded hypervisor. Everything happens within one domain,
// that grants to itself and binds ports to itself; a second process (peer.cpp) is there to die, or
// to be another domain.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
extern "C" {
#include <xenevtchn.h>
#include <xengnttab.h>
}
#pragma GCC diagnostic pop

namespace conformance {

inline constexpr std::size_t page_size = 4096;

// Prints the claim and whether it holds.
void claim(const char* text, bool holds);
// The number of claims that did not hold.
int broken_claims();
// The domain that this runs in, as the store says.
std::uint32_t own_domain();

// The next pending port; -1 if there is none for so long.
int next_event(xenevtchn_handle* events, int milliseconds = 1000);
// No event for a moment.
bool quiet(xenevtchn_handle* events);

// Another process, that does as it is told: in this domain, or in another if `prefix` is the
// command that starts programs there.
class Peer {
 public:
  explicit Peer(const std::string& prefix = "");
  Peer(const Peer&) = delete;
  ~Peer();
  // Sends a line, gives the numbers of the reply; none if the peer has failed.
  std::vector<std::int64_t> tell(const std::string& line);
  // As kill -9, and waits for it.
  void kill();

 private:
  int process_ = -1;
  int to_ = -1;
  int from_ = -1;
};
// The peer's main.
int run_peer();

void check_events();
void check_mappings();
void check_unmap_notifications();
void check_copies();
void check_other_domain(const std::string& prefix);

}  // namespace conformance
