// Memory that outlives the process that made it, however that ended: files in a folder that is in
// memory itself (/run), which the machine's own end empties.
#pragma once

#include <string>
#include <vector>

#include "hypervisor/mapped_memory.hpp"
#include "hypervisor/result.hpp"

namespace ringback::hypervisor {

class KeptMemory {
 public:
  // folder: made when it is first needed, for its owner alone.
  explicit KeptMemory(std::string folder) : folder_(std::move(folder)) {}

  Result<std::vector<std::string>> list() const;
  // What is kept by that name and in that size; else new memory, zeroed.
  Result<MappedMemory> open(const std::string& name, std::size_t size) const;
  // Nothing happens where there is none.
  void remove(const std::string& name) const;

 private:
  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  const std::string folder_;
};

}  // namespace ringback::hypervisor
