// The constants of a Plan in the memory of a device, one copy for all who run the Plan there.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/device.h"
#include "runtime/lock.h"

namespace symk {

struct Plan;

class Constants {
 public:
  Constants(const Plan& plan, Device& device);

  const void* data(size_t number) const { return memory_.data() + offsets_[number]; }

 private:
  DeviceMemory memory_;
  std::vector<int64_t> offsets_;
};

/// The copies of one Plan, by device. A copy lives as long as somebody uses it.
class ConstantCopies {
 public:
  /// Null for the host, where constants lie in the Plan. Throws Error(kMemory).
  std::shared_ptr<Constants> find(const Plan& plan, Device& device);

 private:
  SharedLock lock_;
  std::vector<std::pair<Device*, std::weak_ptr<Constants>>> copies_;
};

}  // namespace symk
