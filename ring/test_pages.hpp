// Ring memory for the tests, with a peer's hand on its indices.
#pragma once

#include <cstring>
#include <vector>

#include "ring/netif.hpp"

namespace ringback::ring::test {

class Pages {
 public:
  explicit Pages(std::size_t count = 1) : pages_(count) {}

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(pages_)); }

  void set_req_prod(Index value) { set(0, value); }
  void set_req_event(Index value) { set(4, value); }
  void set_rsp_prod(Index value) { set(8, value); }
  void set_rsp_event(Index value) { set(12, value); }
  Index req_prod() { return get(0); }
  Index req_event() { return get(4); }
  Index rsp_prod() { return get(8); }
  Index rsp_event() { return get(12); }

  // An idle ring whose next request has this index.
  void idle_at(Index index) {
    set_req_prod(index);
    set_rsp_prod(index);
    set_req_event(index + 1);
    set_rsp_event(index + 1);
  }

 private:
  struct alignas(page_size) Page {
    std::byte bytes[page_size]{};
  };

  void set(std::size_t offset, Index value) { std::memcpy(&bytes()[offset], &value, sizeof value); }
  Index get(std::size_t offset) {
    Index value;
    std::memcpy(&value, &bytes()[offset], sizeof value);
    return value;
  }

  std::vector<Page> pages_;
};

// Places for a ring to start, the wrap at 2^32 and at 2^31 among them.
inline constexpr Index starts[] = {0, 1, 255, 0x7fffffff, 0x80000000, 0xffffff00, 0xffffffff};

}  // namespace ringback::ring::test
