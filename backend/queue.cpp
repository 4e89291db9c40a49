#include "backend/queue.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/vnet_header.hpp"

namespace ringback::backend {

using ring::TxChain;
using ring::TxVerdict;

namespace {

// Where in a page a frame has to start for most of its pieces to lie in a page here as they do
// there: those behind the first start where their pages do. With 66 bytes first, and pages behind
// them, that is 4030.
std::size_t page_phase(const TxChain& chain) {
  if (chain.piece_count < 2) return 0;
  const auto& [first, second] = std::pair(chain.pieces[0], chain.pieces[1]);
  return (ring::page_size + second.offset - first.size % ring::page_size) % ring::page_size;
}

// The chain's pieces behind its first `skip` bytes, of which there are more; the first of them is
// cut where they end.
std::span<const ring::Piece> behind(std::size_t skip, TxChain& chain) {
  std::size_t first = 0;
  for (; skip >= chain.pieces[first].size; ++first) skip -= chain.pieces[first].size;
  ring::Piece& piece = chain.pieces[first];
  piece.offset = static_cast<std::uint16_t>(piece.offset + skip);
  piece.size = static_cast<std::uint16_t>(piece.size - skip);
  return chain.view().subspan(first);
}

bool claims_something(const net::Offload& offload) {
  return offload.gso != net::Gso::none || offload.checksum == net::Checksum::partial;
}

}  // namespace

Result<std::unique_ptr<Queue>> Queue::connect(const Config& config, Port& port,
                                              hypervisor::EventChannels& events,
                                              hypervisor::GrantUser& grants,
                                              std::function<void()> wake) {
  constexpr auto rw = hypervisor::Access::read_write;
  auto tx_pages = grants.map(config.guest, {&config.keys.tx_ring_ref, 1}, rw);
  if (!tx_pages) return failure(tx_pages.error().code, "tx-ring-ref: " + tx_pages.error().what);
  auto rx_pages = grants.map(config.guest, {&config.keys.rx_ring_ref, 1}, rw);
  if (!rx_pages) return failure(rx_pages.error().code, "rx-ring-ref: " + rx_pages.error().what);
  Kept* const kept = config.kept;
  const auto tx = ring::TxBackRing::attach(tx_pages->bytes(), kept ? &kept->tx : nullptr);
  const auto rx = ring::RxBackRing::attach(rx_pages->bytes(), kept ? &kept->rx : nullptr);
  if (!tx || !rx)
    return failure(EPROTO,
                   fmt::format("the {} ring of queue {} claims more requests than it has slots",
                               tx ? "rx" : "tx", config.index));

  std::unique_ptr<Queue> queue(
      new Queue(config, port, events, std::move(*tx_pages), std::move(*rx_pages), *tx));
  const auto bind = [&](hypervisor::Port remote) {
    return events.bind_interdomain(config.guest, remote);
  };
  auto tx_channel = bind(config.keys.tx_event_channel);
  if (!tx_channel) return tl::unexpected(tx_channel.error());
  queue->tx_channel_ = queue->rx_channel_ = *tx_channel;
  if (config.keys.rx_event_channel != config.keys.tx_event_channel) {
    auto rx_channel = bind(config.keys.rx_event_channel);
    if (!rx_channel) return tl::unexpected(rx_channel.error());
    queue->rx_channel_ = *rx_channel;
  }
  queue->sink_ = std::make_unique<RxSink>(config.guest, *rx, events, queue->rx_channel_,
                                          config.abilities, std::move(wake));
  // The guest may have missed an event of a backend before this one, and what that one had promised
  // may have been published just now (tests/models/restart.pml).
  events.notify(queue->tx_channel_);
  if (queue->rx_channel_ != queue->tx_channel_) events.notify(queue->rx_channel_);
  return queue;
}

Queue::~Queue() {
  if (rx_channel_ != tx_channel_) events_.unbind(rx_channel_);
  if (tx_channel_ != 0) events_.unbind(tx_channel_);
}

bool Queue::serve(Copier& copier) {
  if (broken_ != nullptr) return false;
  // Both directions are served every time: none starves the other.
  const bool sent = serve_tx(copier);
  const bool received = serve_rx(copier);
  return broken_ == nullptr && (sent || received);
}

// Late EOI: an event channel is unmasked only when its ring is drained (XSA-332).
bool Queue::arm() {
  if (broken_ != nullptr) return false;
  if (guest_sent_) {
    if (tx_.final_check()) return true;
    guest_sent_ = false;
    events_.unmask(tx_channel_);
  }
  if (guest_posted_) {
    guest_posted_ = false;
    if (rx_channel_ != tx_channel_) events_.unmask(rx_channel_);
  }
  return read_ == Read::now && !sink_->congested();
}

bool Queue::serve_tx(Copier& copier) {
  if (!guest_sent_) return false;
  const auto available = tx_.unconsumed();
  if (!available) {
    broken_ = "its tx ring's req_prod is further ahead than the ring is long";
    return false;
  }
  if (*available == 0) return false;
  TxBurst& burst = copier.burst();
  const std::size_t count = read_burst(*available, burst);
  copy_heads(count, burst, copier);
  if (burst.frame_count > 0)
    port_.send({burst.frames.data(), burst.frame_count}, config_.index, copier, tx_counters_);
  if (tx_.answer({burst.responses.data(), write_responses(count, burst)}))
    events_.notify(tx_channel_);
  return broken_ == nullptr;
}

bool Queue::serve_rx(Copier& copier) {
  const bool drained = guest_posted_ && sink_->drain(copier);
  if (sink_->broken()) {
    broken_ = "its rx ring's req_prod is further ahead than the ring is long";
    return false;
  }
  // While frames wait for the guest the port keeps its own: nothing is read only to be dropped.
  if (read_ != Read::now || sink_->congested()) return drained;
  read_ = port_.receive(config_.index, *sink_, copier);
  return true;
}

// A switch's port has nothing to read from, and nothing that could be deleted.
std::optional<Fault> Queue::fault() const {
  if (broken_ != nullptr) return Fault{Fault::Of::guest, broken_};
  if (read_ == Read::never && fd() >= 0) return Fault{Fault::Of::device, "its tap was deleted"};
  return std::nullopt;
}

// Copies each request once and cuts them into chains; returns how many chains.
std::size_t Queue::read_burst(ring::Index available, TxBurst& burst) {
  constexpr std::size_t longest = 2 * ring::max_tx_slots;  // in slots, of a chain
  // The first chain must be whole however short a burst is.
  constexpr std::size_t copied_at_once = std::max(burst_size, longest);
  const std::size_t looked_at = std::min<std::size_t>(available, burst.requests.size());
  std::size_t copied = 0;
  std::size_t count = 0;
  std::size_t next = 0;
  while (count < burst_size && next < looked_at) {
    if (copied - next < longest && copied < looked_at) {
      const std::size_t more = std::min(looked_at - copied, copied_at_once);
      tx_.requests({burst.requests.data() + copied, more}, static_cast<ring::Index>(copied));
      copied += more;
    }
    TxChain& chain = burst.chains[count];
    const std::size_t left = copied - next;
    // A chain cut by the window is for the next burst; one cut by the producer index is a fault.
    if (count > 0 && left < longest && looked_at < available) break;
    ring::read_tx_chain({burst.requests.data() + next, left}, chain);
    if (chain.verdict == TxVerdict::fatal) {
      broken_ = describe(chain.fault);
      break;
    }
    next += chain.slots;
    ++count;
  }
  tx_.consume(static_cast<ring::Index>(next));
  return count;
}

// Brings the first bytes of every good frame into private memory: nothing is decided on bytes that
// the guest can still change. A frame's pieces then start behind its head. A port that wants the
// whole gets it by the same batch of copies, as far as there is room.
void Queue::copy_heads(std::size_t count, TxBurst& burst, Copier& copier) {
  std::span<std::byte> whole;
  if (port_.wants_whole_frames()) whole = copier.whole_frames();
  std::size_t frames = 0;
  bool any_claims = false;
  Frame* next = burst.frames.data();
  for (TxChain& chain : std::span(burst.chains).first(count)) {
    if (chain.verdict != TxVerdict::frame) [[unlikely]] {
      if (chain.verdict == TxVerdict::error) tx_counters_.drop(Drop::malformed);
      continue;
    }
    Frame& frame = *next++;
    // Field by field: a whole one would be built elsewhere first, and its copy wait for that.
    frame.rest = {};
    frame.domain = config_.guest;
    frame.size = chain.size;
    frame.offload = chain.offload;
    frame.failed = false;
    frame.head = copier.head(frames++).first(std::min<std::size_t>(chain.size, net::head_size));
    if (!whole.empty() && chain.size > net::head_size) [[unlikely]] {
      const std::size_t phase = page_phase(chain);
      if (phase + chain.size <= whole.size()) {
        frame.head = whole.subspan(phase, chain.size);
        whole = whole.subspan(std::min(hypervisor::whole_pages(phase + chain.size), whole.size()));
      }
    }
    copier.to_local(chain.view(), frame, frame.head.data(), frame.head.size());
    if (frame.head.size() < chain.size) frame.rest = behind(frame.head.size(), chain);
    any_claims |= claims_something(chain.offload);
  }
  burst.frame_count = frames;
  copier.flush();
  if (any_claims) check_claims(count, burst);
}

// What the guest says of a frame is checked here, once, for whoever receives it: on bytes that it
// can't change any more. A frame that is not what it claims is answered with an error.
void Queue::check_claims(std::size_t count, TxBurst& burst) {
  std::size_t frame = 0;
  std::size_t kept = 0;
  for (std::size_t c = 0; c < count; ++c) {
    TxChain& chain = burst.chains[c];
    if (chain.verdict != TxVerdict::frame) continue;
    const Frame& seen = burst.frames[frame++];
    if (claims_something(seen.offload) && !seen.failed &&
        !net::is_credible(seen.offload, seen.head, seen.size)) {
      tx_counters_.drop(Drop::bad_headers);
      chain.verdict = TxVerdict::error;
      continue;
    }
    if (&burst.frames[kept] != &seen) burst.frames[kept] = seen;
    ++kept;
  }
  burst.frame_count = kept;
}

// One response per slot, in order; extras are answered RSP_NULL (netif.h). Returns how many.
std::size_t Queue::write_responses(std::size_t count, TxBurst& burst) {
  std::size_t frame = 0;
  const ring::TxRequest* request = burst.requests.data();
  ring::TxResponse* response = burst.responses.data();
  for (std::size_t c = 0; c < count; ++c) {
    const TxChain& chain = burst.chains[c];
    // A multicast list is only kept once multicast control is offered.
    const bool good = chain.verdict == TxVerdict::frame && !burst.frames[frame++].failed;
    const std::int16_t status = good ? NETIF_RSP_OKAY : NETIF_RSP_ERROR;
    *response++ = {.id = request++->id, .status = status};
    for (ring::Index i = 1; i < chain.slots; ++i, ++request) {
      if (i <= chain.extras)
        *response++ = {.id = 0, .status = NETIF_RSP_NULL};
      else
        *response++ = {.id = request->id, .status = status};
    }
  }
  return static_cast<std::size_t>(response - burst.responses.data());
}

}  // namespace ringback::backend
