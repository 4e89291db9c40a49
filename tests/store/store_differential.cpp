// store_differential SEED STEPS: does the same seeded random things to the embedded store ($OURS)
// and to Debian's xenstored
// ($REFERENCE), through libxenstore, as two clients of domain 0 and as domains 1 and 2, and
// compares every answer, errno and watch event. Run by with_stores.sh.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" {  // the header does not say so itself
#include <xenstore.h>
}

namespace {

constexpr int clients = 4;                                         // of each store
constexpr std::array<unsigned, clients> domain_of = {0, 0, 1, 2};  // two of domain 0, two guests
constexpr int slots = 3;  // transactions that a client may have open

// One thing to do. Chosen once, done to both stores.
struct Step {
  enum Kind {
    read,
    write,
    mkdir,
    rm,
    directory,
    get_permissions,
    set_permissions,
    watch,
    unwatch,
    start,
    commit,
    abort,
    domain_path,
    is_introduced,
    introduce,
    release,
    resume,
    set_target,
    foolish_transaction,
    control,
    kinds
  };
  Kind kind;
  int client;
  int slot;  // of a transaction, or -1: outside
  std::string path;
  std::string value;  // or token
  std::vector<xs_permissions> permissions;
  unsigned domain, port;
};

constexpr const char* names[] = {"read",
                                 "write",
                                 "mkdir",
                                 "rm",
                                 "directory",
                                 "get_permissions",
                                 "set_permissions",
                                 "watch",
                                 "unwatch",
                                 "start",
                                 "commit",
                                 "abort",
                                 "domain_path",
                                 "is_introduced",
                                 "introduce",
                                 "release",
                                 "resume",
                                 "set_target",
                                 "foolish_transaction",
                                 "control"};
static_assert(std::size(names) == Step::kinds);

std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 60)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + (text.size() > 60 ? "...(" + std::to_string(text.size()) + ")" : "");
}

std::string describe(const xs_permissions& permission) {
  return "nrwb"[permission.perms & 3] + std::to_string(permission.id);
}

std::string describe(const Step& step) {
  std::string text = "client " + std::to_string(step.client) + " (domain " +
                     std::to_string(domain_of[step.client]) + ") " + names[step.kind] + " '" +
                     printable(step.path) + "' '" + printable(step.value) + "'";
  if (step.slot >= 0) text += " in transaction " + std::to_string(step.slot);
  for (const xs_permissions& permission : step.permissions) text += " " + describe(permission);
  return text + " domain " + std::to_string(step.domain) + " port " + std::to_string(step.port);
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// One of the two stores, with the clients' connections to it.
class Side {
 public:
  Side(std::string directory, std::string socket0)
      : directory_(std::move(directory)), socket0_(std::move(socket0)) {
    for (auto& client : transactions_) client.fill(XBT_NULL);
    for (int client : {0, 1}) connect(client);
  }

  const std::string& socket0() const { return socket0_; }

  void connect(int client) {
    const std::string socket =
        domain_of[client] == 0 ? socket0_ : directory_ + "/" + std::to_string(domain_of[client]);
    setenv("XENSTORED_PATH", socket.c_str(), 1);
    handles_[client] = xs_open(0);
    if (!handles_[client]) {
      std::printf("can't connect to %s: %s\n", socket.c_str(), std::strerror(errno));
      std::exit(1);
    }
  }
  bool is_connected(int client) const { return handles_[client] != nullptr; }
  void disconnect(int client) {
    xs_close(handles_[client]);
    handles_[client] = nullptr;
    transactions_[client].fill(XBT_NULL);
  }

  bool has_transaction(int client, int slot) const {
    return transactions_[client][slot] != XBT_NULL;
  }

  // What it answered, as text.
  std::string perform(const Step& step) {
    xs_handle* handle = handles_[step.client];
    const xs_transaction_t transaction = step.kind == Step::foolish_transaction ? 4711
                                         : step.slot < 0                        ? XBT_NULL
                                                         : transactions_[step.client][step.slot];
    const char* path = step.path.c_str();
    switch (step.kind) {
      case Step::foolish_transaction:
      case Step::read: {
        unsigned length = 0;
        const std::unique_ptr<char, Free> value(
            static_cast<char*>(xs_read(handle, transaction, path, &length)));
        return value ? "'" + std::string(value.get(), length) + "'" : error();
      }
      case Step::write:
        return done(xs_write(handle, transaction, path, step.value.data(),
                             static_cast<unsigned>(step.value.size())));
      case Step::mkdir:
        return done(xs_mkdir(handle, transaction, path));
      case Step::rm:
        return done(xs_rm(handle, transaction, path));
      case Step::directory: {
        unsigned count = 0;
        const std::unique_ptr<char*, Free> entries(xs_directory(handle, transaction, path, &count));
        if (!entries) return error();
        std::string text = "entries";
        for (unsigned i = 0; i < count; ++i) text += std::string(" ") + entries.get()[i];
        return text;
      }
      case Step::get_permissions: {
        unsigned count = 0;
        const std::unique_ptr<xs_permissions, Free> list(
            xs_get_permissions(handle, transaction, path, &count));
        if (!list) return error();
        std::string text = "permissions";
        for (unsigned i = 0; i < count; ++i) text += " " + describe(list.get()[i]);
        return text;
      }
      case Step::set_permissions: {
        std::vector<xs_permissions> list = step.permissions;
        return done(xs_set_permissions(handle, transaction, path, list.data(),
                                       static_cast<unsigned>(list.size())));
      }
      case Step::watch:
        return done(xs_watch(handle, path, step.value.c_str()));
      case Step::unwatch:
        return done(xs_unwatch(handle, path, step.value.c_str()));
      case Step::start:
        transactions_[step.client][step.slot] = xs_transaction_start(handle);
        return has_transaction(step.client, step.slot)
                   ? std::to_string(transactions_[step.client][step.slot])
                   : error();
      case Step::commit:
      case Step::abort:
        transactions_[step.client][step.slot] = XBT_NULL;
        return done(xs_transaction_end(handle, transaction, step.kind == Step::abort));
      case Step::domain_path: {
        const std::unique_ptr<char, Free> home(xs_get_domain_path(handle, step.domain));
        return home ? std::string(home.get()) : error();
      }
      case Step::is_introduced:
        return xs_is_domain_introduced(handle, step.domain) ? "yes" : "no";
      case Step::introduce:
        return done(xs_introduce_domain(handle, step.domain, 1, step.port));
      case Step::release:
        return done(xs_release_domain(handle, step.domain));
      case Step::resume:
        return done(xs_resume_domain(handle, step.domain));
      case Step::set_target:
        return done(xs_set_target(handle, step.domain, step.port));
      case Step::control: {
        std::string argument = step.path;
        const std::unique_ptr<char, Free> text(xs_control_command(
            handle, step.value.c_str(), argument.data(), static_cast<unsigned>(argument.size())));
        return text ? std::string(text.get()) : error();
      }
      case Step::kinds:
        break;
    }
    return "?";
  }

  // Every event that has come to the client. An answer comes behind the events before it, so one is
  // asked for.
  std::string events(int client) {
    std::free(xs_get_domain_path(handles_[client], 0));
    std::string text;
    while (const std::unique_ptr<char*, Free> event{xs_check_watch(handles_[client])})
      text +=
          std::string(" [") + event.get()[XS_WATCH_PATH] + " " + event.get()[XS_WATCH_TOKEN] + "]";
    return text;
  }

 private:
  static std::string error() { return std::string("failed: ") + std::strerror(errno); }
  static std::string done(bool ok) { return ok ? "ok" : error(); }

  std::string directory_, socket0_;
  std::array<xs_handle*, clients> handles_{};
  std::array<std::array<xs_transaction_t, slots>, clients> transactions_;
};

class Comparison {
 public:
  Comparison(unsigned seed, int steps, const std::string& ours, const std::string& reference)
      : steps_(steps),
        random_(seed),
        ours_(ours, ours + "/0"),
        reference_(reference, reference + "/socket") {}

  void run() {
    at_domain0(Step::write, "/local/domain/0/domid", "0");
    at_domain0(Step::write, "/local/domain/0/name", "Domain-0");
    for (unsigned domain : {1, 2}) begin_domain(domain);
    while (done_ < steps_) random_step();
    // A directory that does not fit one answer.
    for (int i = 0; i < 150; ++i)
      at_domain0(Step::mkdir, "/wide/a-name-that-is-rather-long-" + std::to_string(i));
    at_domain0(Step::directory, "/wide");
    compare_trees("/");
    std::printf(
        "%d steps: %d successes, %d errors, %d commits, %d conflicts, %d events: no difference\n",
        done_, successes_, errors_, commits_, conflicts_, events_);
  }
  // A comparison in which nothing happens would be none.
  bool was_worth_it() const {
    return std::min({successes_, errors_, events_}) > steps_ / 5 &&
           std::min(commits_, conflicts_) > steps_ / 200;
  }

 private:
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool one_in(unsigned n) { return below(n) == 0; }
  template <class List>
  auto pick(const List& list) {
    return list[below(static_cast<unsigned>(std::size(list)))];
  }

  void perform(const Step& step) {
    ++done_;
    history_.push_back(describe(step));
    if (history_.size() > 40) history_.pop_front();
    const std::string expected = reference_.perform(step);
    const std::string answered = ours_.perform(step);
    compare("answer", expected, answered);
    if (step.kind == Step::commit) ++(expected == "ok" ? commits_ : conflicts_);
    ++(expected.starts_with("failed") ? errors_ : successes_);
    for (int client = 0; client < clients; ++client) {
      if (!ours_.is_connected(client)) continue;
      const std::string seen = reference_.events(client);
      compare("events", seen, ours_.events(client));
      for (const char c : seen) events_ += c == '[';
    }
  }

  void compare(const char* what, const std::string& expected, const std::string& actual) {
    if (expected == actual) return;
    std::printf("the last steps were:\n");
    for (const std::string& step : history_) std::printf("  %s\n", step.c_str());
    std::printf("then the %s differ:\n  xenstored: %s\n  embedded:  %s\n", what, expected.c_str(),
                actual.c_str());
    std::exit(1);
  }

  Step blank(Step::Kind kind, int client) { return {kind, client, -1, "", "", {}, 0, 1}; }
  void at_domain0(Step::Kind kind, const std::string& path, const std::string& value = "",
                  std::vector<xs_permissions> permissions = {}) {
    Step step = blank(kind, 0);
    step.path = path;
    step.value = value;
    step.permissions = std::move(permissions);
    perform(step);
  }

  void begin_domain(unsigned domain) {
    Step step = blank(Step::introduce, 0);
    step.domain = domain;
    perform(step);
    for (int client = 0; client < clients; ++client) {
      if (domain_of[client] != domain) continue;
      ours_.connect(client);
      reference_.connect(client);
    }
    const std::string home = "/local/domain/" + std::to_string(domain);
    at_domain0(Step::mkdir, home);
    at_domain0(Step::set_permissions, home, "", {{0, XS_PERM_NONE}, {domain, XS_PERM_READ}});
    at_domain0(Step::mkdir, home + "/data");
    at_domain0(Step::set_permissions, home + "/data", "", {{domain, XS_PERM_NONE}});
  }

  // Transactions that are open while a domain ends are left out: xenstored then fails them in ways
  // of its own.
  void end_domain(unsigned domain) {
    for (int client = 0; client < clients; ++client)
      for (int slot = 0; slot < slots; ++slot)
        if (ours_.has_transaction(client, slot)) {
          Step step = blank(Step::abort, client);
          step.slot = slot;
          perform(step);
        }
    for (int client = 0; client < clients; ++client) {
      if (domain_of[client] != domain) continue;
      ours_.disconnect(client);
      reference_.disconnect(client);
    }
    Step step = blank(Step::release, 0);
    step.domain = domain;
    perform(step);
  }

  std::string random_path() {
    static const char* const odd[] = {"",
                                      "/",
                                      "//",
                                      "/a/",
                                      "/a//b",
                                      "a//b",
                                      "/a b",
                                      "/a\xc3\xa4",
                                      "@odd",
                                      "@releaseDomain",
                                      "@introduceDomain",
                                      "/local",
                                      "/local/domain/1",
                                      "/local/domain/2",
                                      "data",
                                      "name",
                                      "../x",
                                      "/.",
                                      "/tool",
                                      "/tool/xenstored",
                                      "/local/domain/0/domid",
                                      "/a+b",
                                      "."};
    if (one_in(12)) return pick(odd);
    if (one_in(60)) {
      const unsigned length = pick(std::array{2047U, 2048U, 2049U, 3071U, 3072U, 3073U});
      std::string path = pick(std::array{"/", "/local/domain/1/", "/local/domain/12345/",
                                         "/local/domain/123456/", "long"});
      return path.append(length - (one_in(2) ? path.size() : 0), 'x');
    }
    static const char* const roots[] = {
        "/d", "/d", "/e", "data", "/local/domain/1/data", "/local/domain/2/data"};
    std::string path = pick(roots);
    for (unsigned depth = below(4); depth > 0; --depth) path += pick(std::array{"/a", "/b"});
    return path;
  }

  std::string random_value() {
    std::string value(one_in(40) ? 1900 + below(2000) : below(20), '\0');
    for (char& c : value) c = static_cast<char>(one_in(10) ? below(256) : 'a' + below(26));
    return value;
  }

  std::vector<xs_permissions> random_permissions() {
    std::vector<xs_permissions> list(one_in(20) ? 4 + below(4) : 1 + below(3));
    for (xs_permissions& permission : list) {
      permission.id = one_in(30) ? 77 : below(3);
      permission.perms = below(4);
    }
    return list;
  }

  void random_step() {
    Step step = blank(Step::read, static_cast<int>(below(clients)));
    if (one_in(150)) {
      // A domain that was made another's target is not ended: xenstored keeps it half alive then.
      const unsigned domain = 1 + below(2);
      const int client = static_cast<int>(domain) + 1;
      if (!ours_.is_connected(client)) return begin_domain(domain);
      if (!has_target_) return end_domain(domain);
    }
    if (!ours_.is_connected(step.client)) return;
    static constexpr Step::Kind common[] = {Step::read,
                                            Step::read,
                                            Step::read,
                                            Step::write,
                                            Step::write,
                                            Step::write,
                                            Step::write,
                                            Step::mkdir,
                                            Step::rm,
                                            Step::rm,
                                            Step::directory,
                                            Step::get_permissions,
                                            Step::set_permissions,
                                            Step::set_permissions,
                                            Step::watch,
                                            Step::watch,
                                            Step::unwatch,
                                            Step::start,
                                            Step::start,
                                            Step::start,
                                            Step::commit,
                                            Step::commit};
    static constexpr Step::Kind rare[] = {
        Step::domain_path, Step::is_introduced, Step::introduce,  Step::release,
        Step::resume,      Step::abort,         Step::set_target, Step::foolish_transaction,
        Step::control};
    step.kind = one_in(15) ? pick(rare) : pick(common);
    step.path = random_path();
    step.value = random_value();
    step.permissions = random_permissions();
    step.domain = below(4);
    step.slot = static_cast<int>(below(slots * 3)) - slots * 2;
    const bool ends = step.kind == Step::commit || step.kind == Step::abort;
    if (ends || step.kind == Step::start) step.slot = static_cast<int>(below(slots));
    if (step.slot >= 0 &&
        ours_.has_transaction(step.client, step.slot) == (step.kind == Step::start))
      return;
    switch (step.kind) {
      case Step::watch:
      case Step::unwatch:
        step.slot = -1;
        step.value = pick(std::array{"t", "u", ""});
        if (one_in(4)) step.path = pick(std::array{"/", "/d", "/e", "/local/domain", "data"});
        if (one_in(8)) step.path = pick(std::array{"@introduceDomain", "@releaseDomain", "@odd"});
        break;
      case Step::set_permissions:  // xenstored refuses an event's permissions with an errno left
                                   // over from before
        if (step.path.starts_with('@') && (step.client > 1 || step.path == "@odd")) return;
        if (step.path == "/")
          step.permissions[0].id = 0;  // it removes everything when the root's owner ends
        break;
      case Step::introduce:  // those that work are begin_domain()'s
        step.port = 0;
        break;
      case Step::release:
        step.domain = pick(std::array{0U, 3U, 77U});
        break;
      case Step::set_target:  // late, for the reason above
        if (step.client < 2 && done_ < steps_ * 3 / 4) step.domain = 3;
        if (step.client < 2 && step.domain < 3) has_target_ = true;
        step.port = below(3);
        break;
      case Step::control:
        step.value = pick(std::array{"check", "nonsense"});
        break;
      default:
        break;
    }
    perform(step);
  }

  void compare_trees(const std::string& path) {
    for (const Step::Kind kind : {Step::read, Step::get_permissions, Step::directory})
      at_domain0(kind, path);
    unsigned count = 0;
    setenv("XENSTORED_PATH", ours_.socket0().c_str(), 1);
    xs_handle* handle = xs_open(0);
    const std::unique_ptr<char*, Free> entries(
        xs_directory(handle, XBT_NULL, path.c_str(), &count));
    xs_close(handle);
    for (unsigned i = 0; i < count; ++i)
      compare_trees((path == "/" ? "" : path) + "/" + entries.get()[i]);
  }

  int steps_, done_ = 0, successes_ = 0, errors_ = 0, commits_ = 0, conflicts_ = 0, events_ = 0;
  bool has_target_ = false;
  std::mt19937 random_;
  Side ours_, reference_;
  std::deque<std::string> history_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* ours = std::getenv("OURS");
  const char* reference = std::getenv("REFERENCE");
  if (argc != 3 || ours == nullptr || reference == nullptr) {
    std::fprintf(stderr, "usage: with_stores.sh ... %s SEED STEPS\n", argv[0]);
    return 2;
  }
  Comparison comparison(static_cast<unsigned>(std::atoi(argv[1])), std::atoi(argv[2]), ours,
                        reference);
  comparison.run();
  if (comparison.was_worth_it()) return 0;
  std::printf("too little happened to be a comparison\n");
  return 1;
}
