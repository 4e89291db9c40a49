#include "hypervisor/kept_memory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "hypervisor/descriptor.hpp"

namespace ringback::hypervisor {

Result<std::vector<std::string>> KeptMemory::list() const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator file(folder_, error), end; !error && file != end;
       file.increment(error))
    names.push_back(file->path().filename());
  if (error && error != std::errc::no_such_file_or_directory)
    return failure(error.value(), "cannot list " + folder_ + ": " + error.message());
  return names;
}

Result<MappedMemory> KeptMemory::open(const std::string& name, std::size_t size) const {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
    return system_failure("cannot make " + folder_);
  const std::string path = path_of(name);
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return system_failure("cannot open " + path);
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return system_failure("cannot look at " + path);
  const auto length = static_cast<off_t>(size);
  if (status.st_size != length && ::ftruncate(file.get(), 0) != 0)
    return system_failure("cannot empty " + path);
  // Now: where there is no room left, a store to a missing page would end the process.
  if (const int error = ::posix_fallocate(file.get(), 0, length))
    return system_failure("cannot make room for " + path, error);
  auto memory = MappedMemory::of_file(file.get(), size);
  if (!memory) return system_failure("cannot map " + path);
  return std::move(*memory);
}

void KeptMemory::remove(const std::string& name) const {
  ::unlink(path_of(name).c_str());
}

}  // namespace ringback::hypervisor
