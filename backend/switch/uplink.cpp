#include "backend/switch/uplink.hpp"

#include <algorithm>

#include "net/checksum.hpp"
#include "net/coalesce.hpp"
#include "net/segment.hpp"

namespace ringback::backend {

using hypervisor::XdpSocket;

namespace {

static_assert(burst_size <= net::Coalescer::max_frames);

// What goes on of what came; super-frames are put together in room. Returns how many.
std::size_t frames_of(const net::Coalescer& coalescer, std::span<std::byte> room,
                      std::span<Frame> frames) {
  std::size_t used = 0;
  std::size_t count = 0;
  for (const auto& run : coalescer.runs()) {
    Frame& frame = frames[count++];
    frame.head = run.frame;
    if (run.segments > 1) {
      // At a page, as the guest's buffers are, and with room for a tag before it.
      const std::size_t start = hypervisor::whole_pages(used + head_room);
      frame.head = room.subspan(start, run.size);
      coalescer.write(run, frame.head);
      used = start + run.size;
    }
    frame.size = static_cast<std::uint32_t>(run.size);
    frame.offload = run.offload;
  }
  return count;
}

}  // namespace

bool TapUplinkQueue::serve(Copier& copier) {
  if (read_ != Read::now) return false;
  TapBurst burst;
  frames_.read(copier, burst);
  read_ = burst.next;
  forward({burst.frames.data(), burst.count}, copier);
  return true;
}

void TapUplinkQueue::deliver(std::span<Frame* const> frames, Copier& copier) {
  const std::lock_guard lock(mutex_);
  frames_.write(frames, copier, to_host_);
}

bool XdpUplinkQueue::serve(Copier& copier) {
  // To look costs nothing, whether it was told of frames or not.
  std::array<std::span<std::byte>, burst_size> received;
  std::array<Frame, burst_size> burst;
  const std::size_t count = socket_->receive(received);
  if (count == 0) {
    read_ = Read::when_readable;
    return false;
  }
  net::Coalescer coalescer;
  for (const auto& bytes : std::span(received.data(), count)) {
    if (bytes.size() < net::ethernet_header_size)
      from_host_.drop(Drop::malformed);
    else
      coalescer.add(bytes);
  }
  forward({burst.data(), frames_of(coalescer, copier.whole_frames(), burst)}, copier);
  socket_->release();
  return true;
}

void XdpUplinkQueue::deliver(std::span<Frame* const> frames, Copier& copier) {
  const std::lock_guard lock(mutex_);
  if (!socket_->is_up()) {
    for (std::size_t i = 0; i < frames.size(); ++i) to_host_.drop(Drop::port_down);
    return;
  }
  for (; !frames.empty(); frames = frames.subspan(std::min(frames.size(), burst_size)))
    send(frames.first(std::min(frames.size(), burst_size)), copier);
  socket_->send();
}

void XdpUplinkQueue::send(std::span<Frame* const> frames, Copier& copier) {
  std::array<std::span<std::byte>, burst_size> chunks;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Frame& frame = *frames[i];
    if (frame.failed || frame.offload.gso != net::Gso::none || frame.size > XdpSocket::max_size)
      continue;
    chunks[i] = socket_->take();
    if (!chunks[i].empty()) copier.to_local(frame, chunks[i].data());
  }
  copier.flush();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Frame& frame = *frames[i];
    const auto chunk = chunks[i];
    const auto drop = [&](Drop reason) {
      if (!chunk.empty()) socket_->give_back(chunk);
      to_host_.drop(reason);
    };
    if (frame.failed) {
      drop(Drop::bad_grant);
    } else if (frame.offload.gso != net::Gso::none) {
      send_segments(frame, copier);
    } else if (chunk.empty()) {
      drop(frame.size > XdpSocket::max_size ? Drop::too_big : Drop::full);
    } else if (frame.offload.checksum == net::Checksum::partial &&
               !net::finish_checksum(chunk.first(frame.size))) {
      drop(Drop::bad_headers);
    } else {
      socket_->put(chunk, frame.size);
      to_host_.delivered(frame.size);
    }
  }
}

void XdpUplinkQueue::send_segments(Frame& frame, Copier& copier) {
  const auto whole = linearise(frame, copier.software_scratch(), copier);
  if (whole.empty()) return to_host_.drop(Drop::bad_grant);
  net::Segmenter segmenter(whole, frame.offload.gso_size);
  if (!segmenter.valid()) return to_host_.drop(Drop::bad_headers);
  while (!segmenter.done()) {
    if (segmenter.next_size() > XdpSocket::max_size) return to_host_.drop(Drop::too_big);
    const auto chunk = socket_->take();
    if (chunk.empty()) return to_host_.drop(Drop::full);
    const std::size_t size = segmenter.write_next(chunk);
    socket_->put(chunk, size);
    to_host_.delivered(size);
  }
}

Uplink::Uplink(std::shared_ptr<SoftwareSwitch> to, std::string name, hypervisor::Tap tap)
    : tap_(std::move(tap)), port_(std::move(to), std::move(name)) {
  for (std::size_t i = 0; i < tap_->queue_count(); ++i)
    queues_.push_back(std::make_unique<TapUplinkQueue>(port_, i, tap_->queue(i)));
}

Uplink::Uplink(std::shared_ptr<SoftwareSwitch> to, std::string name, hypervisor::XdpDevice device,
               std::vector<std::unique_ptr<XdpSocket>> sockets)
    : device_(std::move(device)), port_(std::move(to), std::move(name)) {
  for (std::size_t i = 0; i < sockets.size(); ++i)
    queues_.push_back(std::make_unique<XdpUplinkQueue>(port_, i, std::move(sockets[i])));
}

Result<void> Uplink::begin(const std::vector<std::unique_ptr<Worker>>& workers) {
  std::vector<Sink*> sinks;
  for (const auto& queue : queues_) {
    Worker& worker =
        **std::ranges::min_element(workers, {}, [](const auto& one) { return one->task_count(); });
    if (auto served = worker.serve_also(*queue); !served) return served;
    served_by_.push_back(&worker);
    // Some devices send on fewer queues than they receive on.
    if (!device_ || sinks.size() < device_->send_queues()) sinks.push_back(queue.get());
  }
  port_.connect(std::move(sinks));
  return {};
}

void Uplink::end() {
  port_.connect({});
  for (std::size_t i = 0; i < served_by_.size(); ++i) served_by_[i]->serve_no_more(*queues_[i]);
  served_by_.clear();
}

void Uplink::add_to(Statistics& statistics) const {
  for (const auto& queue : queues_) {
    statistics.tx.add(queue->tx_counters());
    statistics.rx.add(queue->rx_counters());
  }
}

bool Uplink::owns(const Task* task) const {
  return std::ranges::any_of(queues_, [&](const auto& queue) { return queue.get() == task; });
}

}  // namespace ringback::backend
