#include "frontend/pktgen/pktgen.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace ringback::frontend {
namespace {

// Of a tx ring, in one burst: the rest lets the next burst be made while it is under way.
constexpr std::size_t most_burst_slots = 240;
// Buffers go back to the backend this often, so that a ring full of frames can't starve it of them.
constexpr std::size_t repost_at = 64;
// How often the store and signals are looked at.
constexpr std::uint64_t look_around_every = 10'000'000;
constexpr auto closing_time = std::chrono::seconds(5);

std::size_t slots_of(std::size_t size) {
  const std::size_t pages = (size + ring::page_size - 1) / ring::page_size;
  return size > longest_datagram ? pages + 1 : pages;  // with the GSO extra
}

// The addresses of a vif: its own, and as many made up as there are to be.
MacAddress address(const PktgenVif& vif, std::uint32_t i) {
  if (i == 0) return vif.agreed().mac;
  const std::uint32_t device = vif.number();
  const auto byte = [](std::uint32_t value) { return static_cast<std::uint8_t>(value & 0xff); };
  return {0x02, byte(device >> 8), byte(device), byte(i >> 16), byte(i >> 8), byte(i)};
}

}  // namespace

Result<std::unique_ptr<Pktgen>> Pktgen::open(hypervisor::EventLoop& loop, PktgenOptions options) {
  auto channels = hypervisor::open_event_channels();
  if (!channels) return tl::unexpected(channels.error());
  auto sharer = hypervisor::open_grant_sharer();
  if (!sharer) return tl::unexpected(sharer.error());
  std::unique_ptr<Pktgen> self(
      new Pktgen(loop, std::move(options), std::move(*channels), std::move(*sharer)));
  if (auto opened = self->open_vifs(); !opened) return tl::unexpected(opened.error());
  return self;
}

Pktgen::Pktgen(hypervisor::EventLoop& loop, PktgenOptions options,
               std::unique_ptr<hypervisor::EventChannels> channels,
               std::unique_ptr<hypervisor::GrantSharer> sharer)
    : loop_(loop),
      options_(std::move(options)),
      channels_(std::move(channels)),
      sharer_(std::move(sharer)) {}

Result<void> Pktgen::open_vifs() {
  auto devices = options_.senders;
  devices.insert(devices.end(), options_.sinks.begin(), options_.sinks.end());
  std::ranges::sort(devices);
  devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
  for (const auto device : devices) {
    auto vif =
        PktgenVif::open(loop_, *channels_, *sharer_,
                        {.device = device, .queues = options_.queues, .offload = options_.offload});
    if (!vif) return tl::unexpected(vif.error());
    vifs_.push_back(std::move(*vif));
  }
  return {};
}

Result<PktgenReport> Pktgen::run(const std::function<bool()>& interrupted) {
  PktgenReport report;
  auto ready = connect(interrupted).and_then([&] { return check_sizes(); }).and_then([&] {
    return say_hello(interrupted);
  });
  if (!ready) {
    close();
    return tl::unexpected(ready.error());
  }
  make_senders();
  pacer_.emplace(options_.rate, now_ns());
  measure(
      options_.warm_up, options_.seconds, report,
      [&](std::uint64_t now) {
        if (!round(now, true) && options_.sleep) sleep(now);
        return look_around(now, interrupted);
      },
      [&] { return totals(); }, [&](bool on) { collector_->set_timing(on && options_.latency); });
  drain([&](std::uint64_t now) { return !fault_ && round(now, false); });
  const Totals all = totals();
  report.sent_in_all = all.sent.frames;
  report.refused = counters_.tx.refused;
  report.errors = counters_.rx.drop_error;
  collector_->add_to(report);
  close();
  if (fault_) return tl::unexpected(*fault_);
  return report;
}

Result<void> Pktgen::connect(const std::function<bool()>& interrupted) {
  const std::uint64_t deadline = now_ns() + to_ns(options_.wait);
  const auto waits = [](const auto& vif) { return !vif->runs(); };
  for (;;) {
    const auto waiting = std::ranges::find_if(vifs_, waits);
    if (waiting == vifs_.end()) return {};
    if (const auto& broken = (*waiting)->device().broken()) return tl::unexpected(*broken);
    if (interrupted()) return failure(EINTR, "interrupted while the vifs connected");
    if (now_ns() > deadline) return failure(ETIMEDOUT, reason_for(**waiting));
    if (auto stepped = loop_.step(std::chrono::milliseconds(50)); !stepped) return stepped;
  }
}

std::string Pktgen::reason_for(PktgenVif& vif) const {
  if (!vif.device().has_appeared())
    return fmt::format(
        "this domain has no vif {} within {} s ({} is not in the store): attach it, with `ringback "
        "vif attach` or the toolstack",
        vif.number(), options_.wait, vif.device().path());
  return fmt::format(
      "vif {} did not connect within {} s: does a backend serve it (its log, and the error node in "
      "the store, say more), and is no other frontend on it?",
      vif.number(), options_.wait);
}

Result<void> Pktgen::check_sizes() const {
  const std::size_t longest = std::ranges::max(options_.sizes);
  if (longest <= longest_datagram) return {};
  for (const auto& vif : vifs_) {
    if (!std::ranges::count(options_.senders, vif->number()) || vif->agreed().backend.gso_v4)
      continue;
    return failure(
        EOPNOTSUPP,
        fmt::format("frames of {} bytes take segmentation offload, which {} for vif {}: "
                    "give --size up to {}",
                    longest,
                    options_.offload ? "the backend does not offer" : "--no-offload leaves out",
                    vif->number(), longest_datagram));
  }
  return {};
}

// Each vif that receives sends from all its addresses, so that a switch knows where they are.
Result<void> Pktgen::say_hello(const std::function<bool()>& interrupted) {
  for (const auto& vif : vifs_) {
    if (!std::ranges::count(options_.sinks, vif->number())) continue;
    for (const auto& other : vifs_) {
      if (other == vif) continue;
      if (auto greeted = greet(*vif, *other, interrupted); !greeted) return greeted;
      break;
    }
  }
  return {};
}

Result<void> Pktgen::greet(PktgenVif& vif, PktgenVif& other,
                           const std::function<bool()>& interrupted) {
  constexpr std::size_t at_once = 32;
  QueueRings& rings = *vif.queues().front();
  const std::uint64_t deadline = now_ns() + to_ns(10);
  for (std::uint32_t i = 0; i < options_.addresses || !rings.tx.idle();) {
    for (; i < options_.addresses && rings.tx.room(at_once); ++i) {
      const auto head = make_head(address(vif, i), other.agreed().mac, 0, shortest_frame);
      put(rings, head, {.flow = hello_flow, .number = i, .time = 0});
    }
    rings.publish();
    if (auto reaped = rings.tx.reap(counters_.tx); !reaped) return reaped;
    // Whoever is flooded with them takes them, or the next would be dropped.
    for (const auto& each : vifs_) {
      for (const auto& queue : each->queues()) {
        if (auto looked = queue->rx.look(); !looked) return looked;
        for (;;) {
          const auto frame = queue->rx.next(counters_.rx);
          if (!frame) return tl::unexpected(frame.error());
          if (*frame == nullptr) break;
        }
        queue->repost();
      }
    }
    if (!look_around(now_ns(), interrupted))
      return tl::unexpected(fault_.value_or(Error{EINTR, "interrupted while it said hello"}));
    if (now_ns() > deadline)
      return failure(ETIMEDOUT, fmt::format("the backend takes nothing from vif {}: frames that it "
                                            "was given 10 s ago are not answered",
                                            vif.number()));
  }
  return {};
}

const PktgenVif& Pktgen::find(std::uint32_t number) const {
  return **std::ranges::find_if(vifs_, [&](const auto& vif) { return vif->number() == number; });
}

// Sender i sends its flow f to sink i + f, so that pairs are pairs and flows go everywhere.
MacAddress Pktgen::destination(std::size_t sender, std::size_t flow, std::uint32_t which) const {
  const auto& sinks = options_.sinks;
  if (sinks.empty()) return *options_.to;
  std::size_t sink = (sender + flow) % sinks.size();
  if (sinks[sink] == options_.senders[sender]) sink = (sink + 1) % sinks.size();
  return address(find(sinks[sink]), which);
}

void Pktgen::make_senders() {
  std::uint32_t flows = options_.flows;
  for (const auto& vif : vifs_) flows = std::max(flows, vif->agreed().queues);
  for (std::size_t i = 0; i < options_.senders.size(); ++i) {
    const PktgenVif& from = find(options_.senders[i]);
    const std::size_t queues = from.queues().size();
    std::vector<std::vector<Source::Flow>> by_queue(queues);
    for (std::uint32_t f = 0; f < flows; ++f) {
      const std::uint32_t which = f % options_.addresses;
      by_queue[f % queues].push_back({.number = static_cast<std::uint32_t>(i) * flows + f,
                                      .from = address(from, which),
                                      .to = destination(i, f, which)});
    }
    for (std::size_t q = 0; q < queues; ++q)
      senders_.push_back({from.queues()[q].get(), Source(by_queue[q], options_.sizes)});
  }
  const std::size_t slots = slots_of(std::ranges::max(options_.sizes));
  burst_ = std::clamp<std::size_t>(options_.burst, 1, most_burst_slots / slots);
  burst_slots_ = burst_ * slots;
  const std::size_t sources = std::max<std::size_t>(options_.senders.size(), 1);
  collector_ = std::make_unique<Collector>(sources * flows, options_.touch);
}

void Pktgen::put(QueueRings& rings, const FrameHead& head, const Stamp& stamp) const {
  write_head(rings.tx.page(0), head, stamp);
  if (options_.touch) {
    for (std::size_t at = 0, page = 0; at < head.size; at += ring::page_size, ++page)
      write_payload(rings.tx.page(page), at, std::min(ring::page_size, head.size - at), head,
                    stamp);
  }
  rings.tx.put(head.size, head.offload);
}

// A burst, if it is due and there is room for all of it: then it costs one publish and one event.
bool Pktgen::send(Sender& sender, std::uint64_t now) {
  auto& tx = sender.rings->tx;
  if (auto reaped = tx.reap(counters_.tx); !reaped) {
    fault_ = reaped.error();
    return false;
  }
  if (!pacer_->is_due(burst_, now) || !tx.room(burst_slots_)) return false;
  // With a rate it is the time when the frame was due: what it waits for room is latency, too.
  const std::uint64_t time = options_.rate > 0 ? pacer_->due(burst_) : now;
  for (std::size_t i = 0; i < burst_; ++i) {
    const FrameHead& head = sender.source.head();
    put(*sender.rings, head, sender.source.take(time));
  }
  pacer_->sent(burst_);
  sender.rings->publish();
  return true;
}

bool Pktgen::receive(QueueRings& rings, std::uint64_t now) {
  if (auto looked = rings.rx.look(); !looked) {
    fault_ = looked.error();
    return false;
  }
  bool any = false;
  for (;;) {
    const auto frame = rings.rx.next(counters_.rx);
    if (!frame) fault_ = frame.error();
    if (!frame || *frame == nullptr) break;
    collector_->see((*frame)->view(), (*frame)->size, now);
    any = true;
    if (rings.rx.taken() >= repost_at) rings.repost();
  }
  rings.repost();
  return any;
}

// True: there was work.
bool Pktgen::round(std::uint64_t now, bool sending) {
  bool any = false;
  // Whoever sent last comes last: what is due goes to all of them in turn.
  const std::size_t first = turn_;
  for (std::size_t i = 0; i < senders_.size(); ++i) {
    const std::size_t which = (first + i) % senders_.size();
    Sender& sender = senders_[which];
    if (!sending) {
      if (auto reaped = sender.rings->tx.reap(counters_.tx); !reaped) fault_ = reaped.error();
    } else if (send(sender, now)) {
      any = true;
      turn_ = which + 1;
    }
  }
  for (const auto& vif : vifs_)
    for (const auto& queue : vif->queues())
      any = receive(*queue, options_.latency ? now_ns() : now) || any;
  return any;
}

// False: it is to end.
bool Pktgen::look_around(std::uint64_t now, const std::function<bool()>& interrupted) {
  if (now - looked_around_ < look_around_every) return !fault_;
  looked_around_ = now;
  if (auto stepped = loop_.step(std::chrono::milliseconds(0)); !stepped) fault_ = stepped.error();
  for (const auto& vif : vifs_) {
    if (vif->runs()) continue;
    const auto& broken = vif->device().broken();
    senders_.clear();  // their rings have gone
    fault_ = broken ? *broken
                    : Error{ECONNRESET, fmt::format("the backend closed vif {} in the middle of it",
                                                    vif->number())};
  }
  return !fault_ && !interrupted();
}

// Until an event, or until something is due.
void Pktgen::sleep(std::uint64_t now) {
  bool work = false;
  for (const auto& vif : vifs_)
    for (const auto& queue : vif->queues()) work = queue->rx.arm() || work;
  std::uint64_t until = now + look_around_every;
  for (auto& sender : senders_) {
    if (!pacer_->is_due(burst_, now))
      until = std::min(until, pacer_->due(burst_));
    else if (!sender.rings->tx.room(burst_slots_))
      work = sender.rings->tx.arm() || work;
    else
      work = true;
  }
  if (work) return;
  for (const auto port : masked_) channels_->unmask(port);
  masked_.clear();
  pollfd readable{channels_->fd(), POLLIN, 0};
  const timespec timeout{.tv_sec = 0, .tv_nsec = static_cast<long>(until - now)};
  if (ppoll(&readable, 1, &timeout, nullptr) <= 0) return;
  while (const auto port = channels_->pending()) {
    masked_.push_back(*port);
    ++events_;
  }
}

Totals Pktgen::totals() const {
  Totals all;
  for (const auto& sender : senders_) {
    all.sent.frames += sender.source.sent().frames;
    all.sent.bytes += sender.source.sent().bytes;
  }
  all.received = collector_->received();
  for (const auto& vif : vifs_)
    for (const auto& queue : vif->queues()) all.notifications += queue->notifications();
  all.events = events_;
  return all;
}

// Tells the backends, and gives them a while to answer.
void Pktgen::close() {
  for (const auto& vif : vifs_) vif->device().close();
  const auto deadline = std::chrono::steady_clock::now() + closing_time;
  const auto done = [](const auto& vif) {
    return vif->device().at_rest() || vif->device().broken().has_value();
  };
  while (!std::ranges::all_of(vifs_, done) && std::chrono::steady_clock::now() < deadline) {
    if (!loop_.step(std::chrono::milliseconds(50))) return;
  }
}

}  // namespace ringback::frontend
