#include "ends.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "hypervisor/tap.hpp"
#if RINGBACK_HAS_VDE
extern "C" {
#include <libvdeplug.h>
}
#endif

namespace ringback::bench {
namespace {

constexpr std::size_t most = 64;
constexpr int patience_ms = 5;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

bool wait_for(int fd, short events) {
  pollfd waiting{fd, events, 0};
  return poll(&waiting, 1, patience_ms) > 0;
}

class TapEnd final : public End {
 public:
  explicit TapEnd(const std::string& name) {
    auto tap = hypervisor::Tap::open(name, 1);
    if (!tap) throw std::runtime_error(tap.error().what);
    tap_ = std::make_unique<hypervisor::Tap>(std::move(*tap));
    if (auto set = tap_->set_offload({true, true, true, true, true}); !set)
      throw std::runtime_error(set.error().what);
  }

  std::size_t send(std::span<Place> frames) override {
    std::size_t sent = 0;
    for (auto& frame : frames) {
      const std::array<iovec, 2> parts{
          {{&frame.header, sizeof frame.header}, {frame.bytes.data(), frame.size}}};
      if (writev(tap_->queue(0), parts.data(), 2) < 0) {
        if (errno != EAGAIN && errno != ENOBUFS) fail("cannot write to the tap " + tap_->name());
        break;
      }
      ++sent;
    }
    return sent;
  }

  std::size_t receive(std::span<Place> frames) override {
    for (std::size_t got = 0; got < frames.size(); ++got) {
      if (!read(frames[got])) {
        if (got > 0 || !wait_for(tap_->queue(0), POLLIN)) return got;
        if (!read(frames[got])) return 0;
      }
    }
    return frames.size();
  }

 private:
  bool read(Place& frame) const {
    const std::array<iovec, 2> parts{
        {{&frame.header, sizeof frame.header}, {frame.bytes.data(), frame.bytes.size()}}};
    const ssize_t size = readv(tap_->queue(0), parts.data(), 2);
    if (size < static_cast<ssize_t>(sizeof frame.header)) return false;
    frame.size = static_cast<std::size_t>(size) - sizeof frame.header;
    return true;
  }
  std::unique_ptr<hypervisor::Tap> tap_;
};

// A socket that takes and gives many frames at a call.
class SocketEnd : public End {
 public:
  std::size_t send(std::span<Place> frames) override {
    const std::size_t count = describe(frames, [](const Place& frame) { return frame.size; });
    const int sent = sendmmsg(fd_, messages_.data(), static_cast<unsigned>(count), 0);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) fail("cannot send");
    return 0;
  }
  std::size_t receive(std::span<Place> frames) override {
    const std::size_t count =
        describe(frames, [](const Place& frame) { return frame.bytes.size(); });
    int got = recvmmsg(fd_, messages_.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    if (got <= 0 && wait_for(fd_, POLLIN))
      got = recvmmsg(fd_, messages_.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    for (int i = 0; i < got; ++i)
      frames[static_cast<std::size_t>(i)].size = messages_[static_cast<std::size_t>(i)].msg_len;
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

 protected:
  int fd_ = -1;

 private:
  template <class Size>
  std::size_t describe(std::span<Place> frames, Size size) {
    const std::size_t count = std::min(frames.size(), most);
    for (std::size_t i = 0; i < count; ++i) {
      parts_[i] = {frames[i].bytes.data(), size(frames[i])};
      messages_[i] = {};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
    return count;
  }
  std::array<mmsghdr, most> messages_;
  std::array<iovec, most> parts_;
};

class PacketEnd final : public SocketEnd {
 public:
  explicit PacketEnd(const std::string& device)
      : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    fd_ = socket_.get();
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    if (address.sll_ifindex == 0) fail("there is no device " + device);
    const int on = 1, room = 64 << 20;
    setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail("cannot bind to " + device);
  }

 private:
  hypervisor::Descriptor socket_;
};

#if RINGBACK_HAS_VDE
class VdeEnd final : public SocketEnd {
 public:
  explicit VdeEnd(std::string folder) {
    std::string description = "ringback bench";
    connection_ = vde_open(folder.data(), description.data(), nullptr);
    if (connection_ == nullptr) fail("cannot reach a vde_switch in " + folder);
    fd_ = vde_datafd(connection_);
  }
  ~VdeEnd() override { vde_close(connection_); }

 private:
  VDECONN* connection_;
};
#endif

}  // namespace

std::unique_ptr<End> open_end(const std::string& what) {
  const auto colon = what.find(':');
  const std::string kind = what.substr(0, colon);
  const std::string name = colon == std::string::npos ? "" : what.substr(colon + 1);
  if (kind == "tap" && !name.empty()) return std::make_unique<TapEnd>(name);
  if (kind == "packet" && !name.empty()) return std::make_unique<PacketEnd>(name);
#if RINGBACK_HAS_VDE
  if (kind == "vde" && !name.empty()) return std::make_unique<VdeEnd>(name);
#endif
  throw std::runtime_error("'" + what + "' should be tap:NAME, packet:DEVICE or vde:FOLDER" +
                           (kind == "vde" ? " (built without libvdeplug)" : ""));
}

}  // namespace ringback::bench
