#include "xenstore/server/wire.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace ringback::xenstore::server {
namespace {

std::string message(std::uint32_t type, std::uint32_t id, std::uint32_t transaction,
                    std::string_view body) {
  const xsd_sockmsg header = {type, id, transaction, static_cast<std::uint32_t>(body.size())};
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes.append(body);
}

std::string_view error_name(int code) {
  for (const auto& error : ::xsd_errors)
    if (error.errnum == code) return error.errstring;
  return "EINVAL";
}

// The key under which a waiting event is remembered.
std::string_view body_of(std::string_view message) {
  return message.substr(sizeof(xsd_sockmsg));
}

}  // namespace

std::vector<std::string_view> strings_of(std::string_view body) {
  std::vector<std::string_view> strings;
  for (std::size_t end; (end = body.find('\0')) != body.npos; body.remove_prefix(end + 1))
    strings.push_back(body.substr(0, end));
  return strings;
}

std::optional<std::string_view> only_string(std::string_view body) {
  if (body.empty() || body.find('\0') != body.size() - 1) return std::nullopt;
  return body.substr(0, body.size() - 1);
}

std::uint32_t number_of(std::string_view text) {
  return static_cast<std::uint32_t>(std::strtol(std::string(text).c_str(), nullptr, 10));
}

std::optional<Request> Framer::next() {
  xsd_sockmsg header;
  if (broken_ || bytes_.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes_.data(), sizeof header);
  if (header.len > XENSTORE_PAYLOAD_MAX) {
    broken_ = true;
    bytes_.clear();
    return std::nullopt;
  }
  if (bytes_.size() - sizeof header < header.len) return std::nullopt;
  Request request{header.type, header.req_id, header.tx_id,
                  bytes_.substr(sizeof header, header.len)};
  bytes_.erase(0, sizeof header + header.len);
  return request;
}

void Outbox::send(const Request& request, std::uint32_t type, std::string_view body) {
  messages_.push_back({message(type, request.id, request.transaction, body)});
  ++answers_;
}

void Outbox::answer(const Request& request, std::string_view body) {
  if (body.size() > XENSTORE_PAYLOAD_MAX)
    answer_error(request, E2BIG);
  else
    send(request, request.type, body);
}

void Outbox::answer_error(const Request& request, int code) {
  send(request, XS_ERROR, std::string(error_name(code)) + '\0');
}

void Outbox::event(std::string_view path, std::string_view token) {
  const std::string body = std::string(path) + '\0' + std::string(token) + '\0';
  if (body.size() > XENSTORE_PAYLOAD_MAX) return;
  const bool is_special = path.starts_with('@');
  if (!is_special && waiting_events_.contains(body)) return;
  std::string bytes = message(XS_WATCH_EVENT, 0, 0, body);
  if (bytes.size() > event_limit_ - event_bytes_) {
    ++dropped_events_;
    return;
  }
  event_bytes_ += bytes.size();
  if (!is_special) waiting_events_.insert(body);
  messages_.push_back({std::move(bytes), true});
}

std::string_view Outbox::front() const {
  if (messages_.empty()) return {};
  return std::string_view(messages_.front().bytes).substr(sent_);
}

void Outbox::sent(std::size_t bytes) {
  sent_ += bytes;
  const Message& message = messages_.front();
  if (sent_ < message.bytes.size()) return;
  if (message.is_event) {
    waiting_events_.erase(std::string(body_of(message.bytes)));
    event_bytes_ -= message.bytes.size();
  } else {
    --answers_;
  }
  messages_.pop_front();
  sent_ = 0;
}

void Outbox::clear() {
  *this = Outbox(event_limit_);
}

}  // namespace ringback::xenstore::server
