#include "backend/control/hotplug.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hypervisor/descriptor.hpp"

namespace ringback::backend::control {
namespace {

constexpr int limit_ms = 40'000;

[[noreturn]] void become_script(const std::string& script, const std::string& action, const std::string& backend,
                                const std::string& vif) {
  setpgid(0, 0);  // so that what the script started can be ended with it
  setenv("XENBUS_TYPE", "vif", 1);
  setenv("XENBUS_PATH", backend.c_str(), 1);
  setenv("XENBUS_BASE_PATH", "backend", 1);
  setenv("script", script.c_str(), 1);
  setenv("vif", vif.c_str(), 1);
  execl(script.c_str(), script.c_str(), action.c_str(), static_cast<char*>(nullptr));
  _exit(127);
}

}  // namespace

Result<void> run_hotplug_script(const std::string& script, const std::string& action, const std::string& backend,
                                const std::string& vif) {
  const pid_t child = fork();
  if (child < 0) return system_failure("cannot run " + script);
  if (child == 0) become_script(script, action, backend, vif);

  const hypervisor::Descriptor ended(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pollfd wait{.fd = ended.get(), .events = POLLIN, .revents = 0};
  const bool in_time = ended && poll(&wait, 1, limit_ms) == 1;
  if (!in_time) kill(-child, SIGKILL);
  int status = 0;
  if (waitpid(child, &status, 0) != child) return system_failure("cannot wait for " + script);
  if (!in_time) return failure(ETIMEDOUT, fmt::format("{} {}: not done after {} s, killed", script, action, limit_ms / 1000));
  if (!WIFEXITED(status)) return failure(EIO, fmt::format("{} {}: ended by signal {}", script, action, WTERMSIG(status)));
  if (WEXITSTATUS(status) == 127) return failure(ENOENT, script + ": cannot be run");
  if (WEXITSTATUS(status) != 0)
    return failure(EIO, fmt::format("{} {}: exit status {}", script, action, WEXITSTATUS(status)));
  return {};
}

}  // namespace ringback::backend::control
