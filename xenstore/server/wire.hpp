// The store's protocol as bytes (xen/io/xs_wire.h). Pure: a framer for what a client says, a queue
// for what it gets.
//
//   | type | request id | transaction | length | length bytes, at most 4096 |
//     32     32           32            32 bits, each in the host's order
//
// An answer echoes all of its request but the type, which is ERROR if it failed, and the length.
#pragma once

#include <cerrno>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

// It needs the above: integer types, and errno values for the table of errors.
#include <xen/io/xs_wire.h>

namespace ringback::xenstore::server {

struct Request {
  std::uint32_t type = 0;
  std::uint32_t id = 0;
  std::uint32_t transaction = 0;
  std::string body;
};

// The NUL-terminated strings of a body; what is behind the last NUL is none.
std::vector<std::string_view> strings_of(std::string_view body);
// The body's one string; nothing if it is not exactly that.
std::optional<std::string_view> only_string(std::string_view body);
// A number as xenstored reads it: what does not look like one is 0. text: one of the above.
std::uint32_t number_of(std::string_view text);

// Bytes in, requests out.
class Framer {
 public:
  void feed(std::string_view bytes) { bytes_ += bytes; }
  // Nothing: more bytes are needed, or it is broken.
  std::optional<Request> next();
  // A length over the limit was announced: no telling where the next request begins.
  bool broken() const { return broken_; }

 private:
  std::string bytes_;
  bool broken_ = false;
};

// Answers and events out, in order.
class Outbox {
 public:
  // event_limit: bytes of events that may wait; one that does not fit is dropped.
  explicit Outbox(std::size_t event_limit) : event_limit_(event_limit) {}

  void answer(const Request& request, std::string_view body);
  void answer_error(const Request& request, int code);
  // An event that waits already is not sent twice, except "@..." ones, which are counted by their
  // receivers.
  void event(std::string_view path, std::string_view token);

  std::string_view front() const;  // what to send next; empty: nothing
  void sent(std::size_t bytes);    // that many of front() are gone

  std::size_t answers() const { return answers_; }  // waiting
  std::uint64_t dropped_events() const { return dropped_events_; }
  void clear();

 private:
  struct Message {
    std::string bytes;
    bool is_event = false;
  };

  void send(const Request& request, std::uint32_t type, std::string_view body);

  std::deque<Message> messages_;
  std::size_t sent_ = 0;  // of the first message
  std::unordered_set<std::string> waiting_events_;
  std::size_t answers_ = 0;
  std::size_t event_bytes_ = 0;
  std::size_t event_limit_;
  std::uint64_t dropped_events_ = 0;
};

}  // namespace ringback::xenstore::server
