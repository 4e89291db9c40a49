// Any bytes as a tx ring's slots and as an rx ring's responses: a frame's pieces add up and lie
// within their pages.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ring/rx_chain.hpp"
#include "ring/tx_chain.hpp"

using namespace ringback::ring;

namespace {

template <class Slot>
std::vector<Slot> slots_of(const std::uint8_t* data, std::size_t size) {
  std::vector<Slot> slots(size / sizeof(Slot));
  if (!slots.empty()) std::memcpy(slots.data(), data, slots.size() * sizeof(Slot));
  return slots;
}

void read_tx(const std::vector<TxRequest>& requests) {
  const auto chain = read_tx_chain(requests);
  if (chain.verdict == TxVerdict::fatal) return;
  if (chain.slots == 0 || chain.slots > requests.size() || chain.extras >= chain.slots) abort();
  if (chain.verdict != TxVerdict::frame) return;
  std::size_t sum = 0;
  for (const auto& piece : chain.view()) {
    if (piece.size == 0 || piece.offset + piece.size > page_size) abort();
    sum += piece.size;
  }
  if (sum != chain.size || sum < 14) abort();
}

void read_rx(const std::vector<RxResponse>& responses) {
  const std::vector<std::uint16_t> ids(responses.size(), responses.front().id);
  const auto chain = read_rx_chain(responses, ids);
  if (chain.verdict != RxVerdict::frame) return;
  std::size_t sum = 0;
  for (const auto& part : chain.view()) {
    if (part.offset + part.size > page_size || part.slot >= chain.slots) abort();
    sum += part.size;
  }
  if (sum != chain.size || chain.slots > responses.size()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto requests = slots_of<TxRequest>(data, size); !requests.empty()) read_tx(requests);
  if (const auto responses = slots_of<RxResponse>(data, size); !responses.empty())
    read_rx(responses);
  return 0;
}
