// A worker's means of moving bytes: a batch of grant copies that is carried out in one call, frames
// through taps likewise (io), and memory: for the burst in hand, and for frames that have to be
// here. One per worker, on its thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "backend/frame.hpp"
#include "hypervisor/grants.hpp"
#include "hypervisor/io.hpp"
#include "hypervisor/page_memory.hpp"
#include "ring/rx_plan.hpp"

namespace ringback::backend {

// What a queue has in hand: a burst's requests, their chains, the frames of the good ones, and the
// responses. A worker has one, for what each queue had of its own would be in no cache where there
// are many.
struct TxBurst {
  // A ring of one page holds so many; of a longer one, so many are looked at in one burst.
  static constexpr std::size_t window = ring::TxBackRing::Kept::most;
  std::array<ring::TxRequest, window> requests;
  std::array<ring::TxResponse, window> responses;
  std::array<ring::TxChain, burst_size> chains;
  std::array<Frame, burst_size> frames;
  std::size_t frame_count = 0;
};

class Copier {
 public:
  Copier(hypervisor::GrantUser& grants, hypervisor::Io& io);

  hypervisor::Io& io() { return io_; }

  // Appends copies of the reader's next `size` bytes; a full batch is carried out at once. If one
  // fails in flush(), the frame is marked as failed when its sender's grant is to blame, else
  // response (if there is one) gets an error status.
  void to_grant(FrameReader& from, Frame& frame, const hypervisor::GrantEnd& to, std::size_t size,
                ring::RxResponse& response) {
    for (std::size_t done = 0; done < size;) {
      const auto chunk = from.next(size - done);
      const hypervisor::GrantEnd end{to.domain, to.ref,
                                     static_cast<std::uint16_t>(to.offset + done)};
      if (chunk.local != nullptr)
        append(hypervisor::LocalEnd{chunk.local}, end, chunk.size, &frame, &response);
      else
        append(hypervisor::GrantEnd{frame.domain, chunk.gref, chunk.offset}, end, chunk.size,
               &frame, &response);
      done += chunk.size;
    }
  }
  // The whole frame, to one page that has room for it.
  void to_grant(Frame& frame, hypervisor::GrantEnd to, ring::RxResponse& response) {
    append(hypervisor::LocalEnd{frame.head.data()}, to,
           static_cast<std::uint16_t>(frame.head.size()), &frame, &response);
    if (!frame.rest.empty()) rest_to_grant(frame, to, response);
  }
  // The first `size` bytes of pieces that are the frame's; 0 only of no pieces.
  void to_local(std::span<const ring::Piece> pieces, Frame& frame, std::byte* to,
                std::size_t size) {
    if (!pieces.empty() && size <= pieces.front().size) [[likely]] {  // spares a small frame a loop
      append(hypervisor::GrantEnd{frame.domain, pieces.front().gref, pieces.front().offset},
             hypervisor::LocalEnd{to}, static_cast<std::uint16_t>(size), &frame, nullptr);
      return;
    }
    for (const ring::Piece& piece : pieces) {
      const std::size_t chunk = std::min<std::size_t>(size, piece.size);
      append(hypervisor::GrantEnd{frame.domain, piece.gref, piece.offset}, hypervisor::LocalEnd{to},
             static_cast<std::uint16_t>(chunk), &frame, nullptr);
      to += chunk;
      if ((size -= chunk) == 0) return;
    }
  }
  // The whole frame.
  void to_local(Frame& frame, std::byte* to) {
    std::memcpy(to, frame.head.data(), frame.head.size());
    to_local(frame.rest, frame, to + frame.head.size(), frame.size - frame.head.size());
  }

  // Carries out what was appended. Frames, responses and memory named there must still be where
  // they were.
  void flush();
  // Copies that have failed so far: where it stands still there is nothing to look for.
  std::uint64_t failures() const { return failures_; }

  TxBurst& burst() { return burst_; }
  // For the burst in hand: net::head_size for each of its frames, with head_room before it; and
  // room for whole ones, at a page's start.
  std::span<std::byte> head(std::size_t frame) {
    return heads_.span().subspan(frame * head_stride + head_room, net::head_size);
  }
  std::span<std::byte> whole_frames() { return whole_frames_.span(); }
  // Worker-wide scratch memory; whoever uses it is done with it when he returns.
  std::span<std::byte> scratch() { return scratch_.span(); }
  // A second one, for what a receiver has to have done in software.
  std::span<std::byte> software_scratch() { return software_scratch_.span(); }

 private:
  static constexpr std::size_t batch_size = 2048;
  static constexpr std::size_t head_stride = head_room + net::head_size;
  static_assert(ring::page_size % head_stride == 0, "a head that crosses a page is two copies");
  struct Owner {
    Frame* frame;
    ring::RxResponse* response;
  };
  // In place: a copy that is built elsewhere first costs more than all the rest of it; and a full
  // batch is carried out behind its last one, when nothing has to be kept in mind across the call.
  template <class From, class To>
  void append(const From& from, const To& to, std::uint16_t size, Frame* frame,
              ring::RxResponse* response) {
    hypervisor::set_copy(batch_[count_], from, to, size);
    owners_[count_].frame = frame;
    owners_[count_].response = response;
    if (++count_ == batch_size) [[unlikely]]
      flush();
  }
  void rest_to_grant(Frame& frame, hypervisor::GrantEnd to, ring::RxResponse& response);
  void blame();

  hypervisor::GrantUser& grants_;
  hypervisor::Io& io_;
  std::vector<hypervisor::Copy> batch_;  // the first count_ of them
  std::vector<Owner> owners_;            // one for each of batch_
  std::size_t count_ = 0;
  std::uint64_t failures_ = 0;
  TxBurst burst_;
  hypervisor::PageMemory heads_;
  hypervisor::PageMemory whole_frames_;
  hypervisor::PageMemory scratch_;
  hypervisor::PageMemory software_scratch_;
  hypervisor::PageMemory discarded_;  // of a sender whose grants are tried
};

// The whole frame in one piece: itself if it is local, else a copy at `to`, which has room for
// frame.size bytes. Empty if the sender's grants were bad; then the frame is marked.
std::span<std::byte> linearise(Frame& frame, std::span<std::byte> to, Copier& copier);

}  // namespace ringback::backend
