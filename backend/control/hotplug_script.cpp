#include "backend/control/hotplug_script.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "hypervisor/descriptor.hpp"

namespace ringback::control {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> raw;
  raw.reserve(texts.size() + 1);
  for (auto& text : texts) raw.push_back(text.data());
  raw.push_back(nullptr);
  return raw;
}

// In a process group of its own, so that what it starts ends with it.
Result<pid_t> spawn(std::vector<std::string> arguments, std::vector<std::string> environment) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int code = posix_spawn(&pid, arguments[0].c_str(), nullptr, &attributes,
                               pointers(arguments).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return system_failure("running " + arguments[0], code);
  return pid;
}

bool ends_within(pid_t pid, std::chrono::milliseconds patience) {
  const hypervisor::Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended = {process.get(), POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

std::string script_path(const std::string& name) {
  return name.find('/') == std::string::npos ? "/etc/xen/scripts/" + name : name;
}

Result<void> run_script(const std::string& script, const std::string& command,
                        const std::string& backend, xenstore::VifId id,
                        std::chrono::milliseconds patience) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  environment.push_back("XENBUS_PATH=" + backend);
  environment.emplace_back("XENBUS_TYPE=vif");
  environment.emplace_back("XENBUS_BASE_PATH=backend");
  environment.push_back("vif=" + device_name(id));
  environment.push_back("script=" + script);

  const auto pid = spawn({script, command}, std::move(environment));
  if (!pid) return tl::unexpected(pid.error());
  const bool ended = ends_within(*pid, patience);
  if (!ended) kill(-*pid, SIGKILL);
  int status = 0;
  waitpid(*pid, &status, 0);

  const auto said = script + " " + command;
  if (!ended) {
    return failure(ETIMEDOUT, said + ": took longer than " +
                                  std::to_string(patience.count() / 1000) + " s and was killed");
  }
  if (WIFSIGNALED(status)) {
    return failure(EIO, said + ": killed by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    return failure(EIO, said + ": failed with status " + std::to_string(WEXITSTATUS(status)));
  }
  return {};
}

}  // namespace ringback::control
