// For tests: a client of a Machine that says one thing at a time.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xenstore/server/machine.hpp"

namespace ringback::xenstore::server {

class TestClient {
 public:
  TestClient(Machine& machine, DomainId domain)
      : machine_(machine), session_(machine.connect(domain)) {}

  static std::string bytes(std::uint32_t type, std::string_view body,
                           std::uint32_t transaction = 0) {
    const xsd_sockmsg header = {type, 7, transaction, static_cast<std::uint32_t>(body.size())};
    std::string message(sizeof header, '\0');
    std::memcpy(message.data(), &header, sizeof header);
    return message.append(body);
  }

  // The answer's body, an error's name; NULs at the end are left out, others are spaces. Events are
  // kept.
  std::string ask_raw(std::uint32_t type, std::string_view body, std::uint32_t transaction = 0) {
    machine_.receive(session_, bytes(type, body, transaction));
    collect();
    return answers_.empty() ? "no answer" : std::exchange(answers_, {}).back();
  }
  // With a NUL behind each string.
  std::string ask(std::uint32_t type, const std::vector<std::string>& strings,
                  std::uint32_t transaction = 0) {
    std::string body;
    for (const std::string& string : strings) body += string + '\0';
    return ask_raw(type, body, transaction);
  }

  std::string read(const std::string& path, std::uint32_t transaction = 0) {
    return ask(XS_READ, {path}, transaction);
  }
  std::string write(const std::string& path, const std::string& value,
                    std::uint32_t transaction = 0) {
    return ask_raw(XS_WRITE, path + '\0' + value, transaction);
  }
  std::string remove(const std::string& path, std::uint32_t transaction = 0) {
    return ask(XS_RM, {path}, transaction);
  }
  std::string list(const std::string& path, std::uint32_t transaction = 0) {
    return ask(XS_DIRECTORY, {path}, transaction);
  }
  std::string permit(const std::string& path, const std::vector<std::string>& permissions) {
    std::vector<std::string> strings = permissions;
    strings.insert(strings.begin(), path);
    return ask(XS_SET_PERMS, strings);
  }
  std::string watch(const std::string& path, const std::string& token) {
    return ask(XS_WATCH, {path, token});
  }
  std::uint32_t begin() {
    const std::string id = ask(XS_TRANSACTION_START, {""});
    return static_cast<std::uint32_t>(std::strtoul(id.c_str(), nullptr, 10));
  }
  std::string commit(std::uint32_t transaction) {
    return ask(XS_TRANSACTION_END, {"T"}, transaction);
  }

  // "path token" for each event since the last call.
  std::vector<std::string> events() {
    collect();
    return std::exchange(events_, {});
  }
  bool ended() const { return machine_.ended(session_); }
  SessionId session() const { return session_; }

 private:
  void collect() {
    Outbox& outbox = machine_.outbox(session_);
    while (!outbox.front().empty()) {
      const std::string message(outbox.front());
      outbox.sent(message.size());
      std::uint32_t type = 0;
      std::memcpy(&type, message.data(), sizeof type);
      std::string body = message.substr(sizeof(xsd_sockmsg));
      while (body.ends_with('\0')) body.pop_back();
      for (char& c : body)
        if (c == '\0') c = ' ';
      (type == XS_WATCH_EVENT ? events_ : answers_).push_back(body);
    }
  }

  Machine& machine_;
  SessionId session_;
  std::vector<std::string> answers_, events_;
};

}  // namespace ringback::xenstore::server
