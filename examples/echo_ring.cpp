// A shared ring with messages of our own: the frontend asks for squares, the backend answers. Both
// ends are threads of this process, on plain memory, and a semaphore each plays the event channel.
// pipe_backend.cpp and pipe_frontend.cpp do the same between two domains.

#include <cstdint>
#include <iostream>
#include <semaphore>
#include <span>
#include <thread>

#include "ring/back_ring.hpp"
#include "ring/front_ring.hpp"

namespace {

using namespace ringback::ring;

// A slot holds one of these or the other. Their sizes are multiples of 4.
struct Question {
  std::uint32_t number;
};
struct Answer {
  std::uint64_t square;
};

constexpr std::uint32_t questions = 1'000'000;

using EventChannel = std::counting_semaphore<>;
struct Channels {
  EventChannel to_front{0};
  EventChannel to_back{0};
};

void serve(std::span<std::byte> page, Channels& channels) {
  auto ring = BackRing<Question, Answer>::attach(page).value();
  for (std::uint32_t answered = 0; answered < questions;) {
    // No value: the frontend lies about its index. A real backend would leave such a peer alone.
    const Index count = ring.unconsumed().value();
    for (Index i = 0; i < count; ++i) {
      const std::uint64_t number =
          ring.request().number;  // a copy, so that it cannot change any more
      ring.consume(1);
      ring.respond({number * number});
    }
    answered += count;
    if (ring.publish()) channels.to_front.release();
    // Sleeps only after it has asked for an event and looked once more.
    if (answered < questions && !ring.final_check()) channels.to_back.acquire();
  }
}

}  // namespace

int main() {
  alignas(
      page_size) static std::byte page[page_size];  // the frontend would grant it to the backend
  Channels channels;
  auto ring = FrontRing<Question, Answer>::initialise(page);
  std::jthread backend(serve, std::span(page), std::ref(channels));

  std::uint32_t asked = 0, answered = 0, wrong = 0, notified = 0;
  while (answered < questions) {
    while (asked < questions && ring.free() > 0) ring.put({asked++});
    if (ring.publish()) {
      channels.to_back.release();
      ++notified;
    }
    const Index count = ring.unconsumed().value();
    for (Index i = 0; i < count; ++i, ++answered)
      wrong += ring.response(i).square != std::uint64_t{answered} * answered;
    ring.consume(count);
    if (count == 0 && !ring.final_check()) channels.to_front.acquire();
  }
  std::cout << answered << " answers, " << wrong << " wrong, in a ring of " << ring.size()
            << " slots; the backend was "
            << "woken " << notified << " times\n";
  return wrong == 0 ? 0 : 1;
}
