// One queue of a network device, past the kernel's network stack (AF_XDP, by libxdp): frames lie in
// memory of ours that the kernel, or with zero-copy the device itself, fills and empties. What
// comes in on that queue comes here, and the host no longer sees it; when the socket closes the
// host does again.
//
//   memory: chunks of one page each
//   | free for us: headroom | a frame, at most max_size bytes |
//
// One thread receives; another may send.
#pragma once

#include <xdp/xsk.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hypervisor/mapped_memory.hpp"
#include "hypervisor/result.hpp"
#include "hypervisor/types.hpp"

namespace ringback::hypervisor {

class XdpSocket {
 public:
  static constexpr std::size_t headroom = 256;  // XDP_PACKET_HEADROOM
  static constexpr std::size_t max_size = page_size - headroom;

  // Zero-copy where the driver can, else the kernel copies. An Error if there is no such device or
  // queue, if another has it, or without the right (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF).
  static Result<std::unique_ptr<XdpSocket>> open(const std::string& device, std::uint32_t queue);
  ~XdpSocket();
  XdpSocket(const XdpSocket&) = delete;
  XdpSocket& operator=(const XdpSocket&) = delete;

  // Readable when frames have come.
  int fd() const { return xsk_socket__fd(socket_); }
  bool zero_copy() const { return zero_copy_; }

  // Frames that have come, at most as many as there is room for; returns how many. They are the
  // caller's until release(), which comes before the next receive().
  std::size_t receive(std::span<std::span<std::byte>> frames);
  void release();

  // Whether the device can send: it is up, as far as was seen.
  bool is_up();
  // max_size bytes for a frame to be sent; empty: there is none free, the device is behind. Then
  // either of the others: put() takes its first `size` bytes, to go with the next send().
  std::span<std::byte> take();
  void put(std::span<std::byte> chunk, std::size_t size);
  void give_back(std::span<std::byte> chunk);
  void send();

 private:
  XdpSocket();
  Result<void> bind(const std::string& device, std::uint32_t queue);
  std::uint64_t place_of(const std::byte* bytes) const;
  void take_back_sent();
  int kick();

  // A device may write to it until some time after the socket is closed.
  MappedMemory memory_;
  xsk_umem* umem_ = nullptr;
  xsk_socket* socket_ = nullptr;
  bool zero_copy_ = false;
  // The receiver's.
  xsk_ring_prod fill_{};
  xsk_ring_cons received_{};
  std::vector<std::uint64_t> held_;  // chunks that the caller has
  // The sender's.
  xsk_ring_prod to_send_{};
  xsk_ring_cons sent_{};
  std::vector<std::uint64_t> free_;
  std::uint32_t put_ = 0;  // since the last send()
  bool up_ = true;
};

}  // namespace ringback::hypervisor
