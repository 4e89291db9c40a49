#include "hypervisor/xdp_socket.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <xdp/libxdp.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace ringback::hypervisor {
namespace {

constexpr std::uint32_t ring_size = 2048;  // of each ring, and chunks of each direction
// In copy mode one call sends so many (the kernel's TX_BATCH_SIZE).
constexpr std::uint32_t kernel_batch = 32;

// As xsk_ring_prod__submit(), and whether the kernel then wants a call: its flag is read after it
// can see what is published. (An exchange is a barrier that ThreadSanitizer knows.)
bool publish(xsk_ring_prod& ring, std::uint32_t count) {
  std::atomic_ref(*ring.producer).fetch_add(count, std::memory_order_seq_cst);
  return (std::atomic_ref(*ring.flags).load(std::memory_order_seq_cst) & XDP_RING_NEED_WAKEUP) != 0;
}

// These would write to standard error themselves.
void silence() {
  libbpf_set_print(nullptr);
  libxdp_set_print(nullptr);
}

}  // namespace

XdpSocket::XdpSocket() : memory_(std::size_t{2} * ring_size * page_size) {}

XdpSocket::~XdpSocket() {
  if (socket_ != nullptr) xsk_socket__delete(socket_);
  if (umem_ != nullptr) xsk_umem__delete(umem_);
}

Result<std::unique_ptr<XdpSocket>> XdpSocket::open(const std::string& device, std::uint32_t queue) {
  std::unique_ptr<XdpSocket> made(new XdpSocket);
  if (auto bound = made->bind(device, queue); !bound) return tl::unexpected(bound.error());
  return made;
}

Result<void> XdpSocket::bind(const std::string& device, std::uint32_t queue) {
  silence();
  const auto memory = memory_.span();
  xsk_umem_config umem{};
  umem.fill_size = umem.comp_size = ring_size;
  umem.frame_size = page_size;
  if (const int code =
          xsk_umem__create(&umem_, memory.data(), memory.size(), &fill_, &sent_, &umem);
      code != 0)
    return system_failure("cannot give memory to AF_XDP", -code);

  xsk_socket_config config{};
  config.rx_size = config.tx_size = ring_size;
  config.bind_flags = XDP_USE_NEED_WAKEUP;
  if (const int code = xsk_socket__create(&socket_, device.c_str(), queue, umem_, &received_,
                                          &to_send_, &config);
      code != 0)
    return system_failure(fmt::format("cannot take queue {} of {} by AF_XDP", queue, device),
                          -code);
  xdp_options options{};
  socklen_t size = sizeof options;
  if (getsockopt(fd(), SOL_XDP, XDP_OPTIONS, &options, &size) == 0)
    zero_copy_ = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;

  // Room for all that may be under way, so that the ring is the only limit.
  const int room = static_cast<int>(ring_size * page_size);
  setsockopt(fd(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);

  std::uint32_t index = 0;
  xsk_ring_prod__reserve(&fill_, ring_size, &index);
  for (std::uint32_t i = 0; i < ring_size; ++i)
    *xsk_ring_prod__fill_addr(&fill_, index + i) = std::uint64_t{i} * page_size;
  xsk_ring_prod__submit(&fill_, ring_size);
  held_.reserve(ring_size);
  free_.reserve(ring_size);
  for (std::uint64_t i = 0; i < ring_size; ++i) free_.push_back((ring_size + i) * page_size);
  return {};
}

std::size_t XdpSocket::receive(std::span<std::span<std::byte>> frames) {
  std::uint32_t index = 0;
  const std::uint32_t count =
      xsk_ring_cons__peek(&received_, static_cast<std::uint32_t>(frames.size()), &index);
  for (std::uint32_t i = 0; i < count; ++i) {
    const xdp_desc* const got = xsk_ring_cons__rx_desc(&received_, index + i);
    frames[i] = memory_.span().subspan(got->addr, got->len);
    held_.push_back(got->addr / page_size * page_size);
  }
  if (count > 0) xsk_ring_cons__release(&received_, count);
  return count;
}

void XdpSocket::release() {
  std::uint32_t index = 0;
  const auto count = static_cast<std::uint32_t>(held_.size());
  // There is room: the ring holds all chunks of this direction.
  if (count == 0 || xsk_ring_prod__reserve(&fill_, count, &index) != count) return;
  for (std::uint32_t i = 0; i < count; ++i) *xsk_ring_prod__fill_addr(&fill_, index + i) = held_[i];
  held_.clear();
  if (publish(fill_, count)) ::recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
}

std::uint64_t XdpSocket::place_of(const std::byte* bytes) const {
  return static_cast<std::uint64_t>(bytes - memory_.span().data());
}

void XdpSocket::take_back_sent() {
  std::uint32_t index = 0;
  const std::uint32_t count = xsk_ring_cons__peek(&sent_, ring_size, &index);
  for (std::uint32_t i = 0; i < count; ++i)
    free_.push_back(*xsk_ring_cons__comp_addr(&sent_, index + i) / page_size * page_size);
  if (count > 0) xsk_ring_cons__release(&sent_, count);
}

std::span<std::byte> XdpSocket::take() {
  if (free_.empty()) take_back_sent();
  if (free_.empty()) return {};
  const std::uint64_t chunk = free_.back();
  free_.pop_back();
  return memory_.span().subspan(chunk + headroom, max_size);
}

void XdpSocket::put(std::span<std::byte> chunk, std::size_t size) {
  std::uint32_t index = 0;
  // There is room: the ring holds all chunks of this direction.
  if (xsk_ring_prod__reserve(&to_send_, 1, &index) != 1) return give_back(chunk);
  xdp_desc* const frame = xsk_ring_prod__tx_desc(&to_send_, index);
  frame->addr = place_of(chunk.data());
  frame->len = static_cast<std::uint32_t>(size);
  frame->options = 0;
  ++put_;
}

void XdpSocket::give_back(std::span<std::byte> chunk) {
  free_.push_back(place_of(chunk.data()) / page_size * page_size);
}

// 0, or the errno that says why not all is sent.
int XdpSocket::kick() {
  if (::sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) return 0;
  return errno;
}

bool XdpSocket::is_up() {
  if (!up_) {
    const int code = kick();
    up_ = code == 0 || code == EAGAIN || code == EBUSY;
  }
  return up_;
}

void XdpSocket::send() {
  publish(to_send_, std::exchange(put_, 0));
  take_back_sent();
  // A call sends a batch at most, what was left by an earlier send() first.
  for (std::uint32_t calls = 0; calls <= ring_size / kernel_batch; ++calls) {
    if (free_.size() == ring_size || xsk_ring_prod__needs_wakeup(&to_send_) == 0) return;
    const int code = kick();
    if (code == 0) return;
    if (code != EAGAIN && code != EBUSY) {
      up_ = false;
      return;
    }
    take_back_sent();
  }
}

}  // namespace ringback::hypervisor
