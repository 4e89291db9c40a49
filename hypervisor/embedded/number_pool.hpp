// Numbers to give out, the lowest first, so that what is in use stays dense.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace ringback::hypervisor::embedded {

class NumberPool {
 public:
  NumberPool(std::uint32_t first, std::uint32_t end) : next_(first), end_(end) {}

  std::size_t available() const { return end_ - next_ + returned_.size(); }
  // Only while one is available.
  std::uint32_t take() {
    if (returned_.empty()) return next_++;
    const std::uint32_t number = returned_.top();
    returned_.pop();
    return number;
  }
  void give_back(std::uint32_t number) { returned_.push(number); }

 private:
  std::uint32_t next_;
  std::uint32_t end_;
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> returned_;
};

}  // namespace ringback::hypervisor::embedded
