// Any bytes from a guest to the embedded store: no crash, and answers only to what was asked.
#include "xenstore/server/machine.hpp"

using namespace ringback::xenstore::server;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Machine machine;
  machine.introduce(1);
  const auto session = machine.connect(1);
  machine.receive(session, {reinterpret_cast<const char*>(data), size});
  machine.release(1);
  return 0;
}
