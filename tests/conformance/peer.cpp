// The second process: reads commands, a line each, and answers with numbers.
//
//   join DOMAIN PORT            -> local port
//   wait DOMAIN                 -> local port that waits
//   notify PORT MILLISECONDS    -> 0, then notifies after so long
//   event                       -> port delivered, -1 if none; unmasked at once
//   share DOMAIN COUNT WRITABLE -> refs; every byte of page i is i + 1
//   share_notify DOMAIN PORT    -> ref; at unmap byte 8 is zeroed and the port notified; -1: none
//   of the two map_notify DOMAIN REF PORT  -> byte 8 of the page, likewise domain -> the domain
//   that it runs in byte OFFSET                 -> that byte of what was shared last unshare -> 0:
//   ends what was shared last
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>

#include "conformance.hpp"

namespace conformance {

namespace {

std::string own_path() {
  char path[4096] = {};
  return ::readlink("/proc/self/exe", path, sizeof path - 1) > 0 ? path : "";
}

class Obeying {
 public:
  Obeying() = default;
  Obeying(const Obeying&) = delete;
  ~Obeying() {
    if (mapper_ != nullptr) xengnttab_close(mapper_);
    if (sharer_ != nullptr) xengntshr_close(sharer_);
    if (events_ != nullptr) xenevtchn_close(events_);
  }
  std::vector<std::int64_t> obey(const std::string& line) {
    std::istringstream in(line);
    std::string command;
    in >> command;
    std::vector<std::int64_t> n;
    for (std::int64_t number; in >> number;) n.push_back(number);
    n.resize(3);
    const auto domain = static_cast<std::uint32_t>(n[0]);
    if (command == "join")
      return {xenevtchn_bind_interdomain(events_, domain, static_cast<evtchn_port_t>(n[1]))};
    if (command == "wait") return {xenevtchn_bind_unbound_port(events_, domain)};
    if (command == "event") {
      const int port = next_event(events_);
      if (port >= 0) xenevtchn_unmask(events_, static_cast<evtchn_port_t>(port));
      return {port};
    }
    if (command == "share") return share(domain, static_cast<int>(n[1]), static_cast<int>(n[2]));
    if (command == "share_notify") {
      refs_.resize(1);
      const bool wanted = n[1] >= 0;
      shared_ = static_cast<unsigned char*>(
          xengntshr_share_page_notify(sharer_, domain, refs_.data(), 1, wanted ? 8 : UINT32_MAX,
                                      static_cast<evtchn_port_t>(n[1])));
      if (shared_ == nullptr) return {-1};
      shared_[8] = 1;
      return {refs_[0]};
    }
    if (command == "map_notify") {
      const auto* const page = static_cast<unsigned char*>(xengnttab_map_grant_ref_notify(
          mapper_, domain, static_cast<std::uint32_t>(n[1]), PROT_READ | PROT_WRITE, 8,
          static_cast<evtchn_port_t>(n[2])));
      return {page == nullptr ? -1 : page[8]};
    }
    if (command == "domain") return {own_domain()};
    if (command == "byte") return {shared_ == nullptr ? -1 : shared_[n[0]]};
    if (command == "unshare")
      return {xengntshr_unshare(sharer_, shared_, static_cast<std::uint32_t>(refs_.size()))};
    return {};
  }

  void notify(int port) { xenevtchn_notify(events_, static_cast<evtchn_port_t>(port)); }

 private:
  std::vector<std::int64_t> share(std::uint32_t domain, int count, int writable) {
    refs_.resize(static_cast<std::size_t>(count));
    shared_ = static_cast<unsigned char*>(
        xengntshr_share_pages(sharer_, domain, count, refs_.data(), writable));
    if (shared_ == nullptr) return {-1};
    for (std::size_t i = 0; i < refs_.size(); ++i)
      std::memset(shared_ + i * page_size, static_cast<int>(i + 1), page_size);
    return {refs_.begin(), refs_.end()};
  }

  xenevtchn_handle* events_ = xenevtchn_open(nullptr, 0);
  xengntshr_handle* sharer_ = xengntshr_open(nullptr, 0);
  xengnttab_handle* mapper_ = xengnttab_open(nullptr, 0);
  std::vector<std::uint32_t> refs_;
  unsigned char* shared_ = nullptr;
};

}  // namespace

int run_peer() {
  Obeying obeying;
  for (std::string line; std::getline(std::cin, line);) {
    for (const auto number : obeying.obey(line)) std::cout << number << ' ';
    std::cout << std::endl;
    int port = 0;
    unsigned delay = 0;
    if (std::sscanf(line.c_str(), "notify %d %u", &port, &delay) != 2) continue;
    ::usleep(delay * 1000);
    obeying.notify(port);
  }
  return EXIT_SUCCESS;
}

Peer::Peer(const std::string& prefix) {
  int down[2];
  int up[2];
  if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) return;
  const std::string command = "exec " + prefix + " " + own_path() + " peer";
  process_ = ::fork();
  if (process_ == 0) {
    ::dup2(down[0], STDIN_FILENO);
    ::dup2(up[1], STDOUT_FILENO);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(down[0]);
  ::close(up[1]);
  to_ = down[1];
  from_ = up[0];
}

Peer::~Peer() {
  ::close(to_);
  ::close(from_);
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

std::vector<std::int64_t> Peer::tell(const std::string& line) {
  const std::string sent = line + "\n";
  if (::write(to_, sent.data(), sent.size()) != static_cast<ssize_t>(sent.size())) return {};
  std::string reply;
  for (char c; ::read(from_, &c, 1) == 1 && c != '\n';) reply += c;
  std::istringstream in(reply);
  std::vector<std::int64_t> numbers;
  for (std::int64_t number; in >> number;) numbers.push_back(number);
  return numbers;
}

void Peer::kill() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

}  // namespace conformance
