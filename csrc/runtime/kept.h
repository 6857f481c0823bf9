// Results that are the same at each call until a variable changes: of steps that read constants and
// shared values which their Plan does not change, as the scales of batch normalisation with fixed
// statistics are. They are made at the first call, lie beside the arena, and are made again when
// the version of what their step reads is another one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "runtime/device.h"
#include "runtime/lock.h"
#include "runtime/packed.h"

namespace symk {

struct Plan;

/// Those of one Program, for all its bindings. Calls of the Program hold the locks of what kept
/// steps read, so all calls that run at the same time want the same versions of them.
class KeptResults {
 public:
  /// Chooses the steps: those that do nothing but to make results of known sizes that other steps
  /// read, and not many more elements than they read.
  KeptResults(const Plan& plan, Device& device);

  /// The numbers of the steps, in the order of the Plan.
  const std::vector<uint32_t>& steps() const { return steps_; }
  bool keeps_step(uint32_t step) const {
    return std::binary_search(steps_.begin(), steps_.end(), step);
  }
  /// Whether a temporary is the result of one of them.
  bool keeps(uint32_t buffer) const { return results_[buffer].offset >= 0; }

  /// The memory of a kept temporary; the first call allocates that of all. Throws Error(kMemory).
  void* data(uint32_t buffer);
  /// The bytes of all, once there is memory for them.
  int64_t bytes();
  /// The results in the forms that kernels read them in.
  PackedForms& packed() { return packed_; }

  // --- for those who hold the lock ---
  SharedLock& lock() { return lock_; }
  /// At least 1 once the result has been made, and another number after each time.
  uint64_t version(uint32_t buffer) const { return results_[buffer].version; }
  /// Calls make() unless the results of a kept step were made of these versions of its inputs. When
  /// it throws, they count as not made.
  template <class Make>
  void refresh(size_t kept, const uint64_t* versions, Make&& make) {
    Made& made = made_[kept];
    if (made.done && std::equal(made.of.begin(), made.of.end(), versions)) return;
    made.done = false;
    make();
    std::copy(versions, versions + made.of.size(), made.of.begin());
    made.done = true;
    for (const uint32_t buffer : made.results) ++results_[buffer].version;
  }

 private:
  struct Result {
    int64_t offset = -1;  // in the memory, or -1 for a buffer that is not kept
    uint64_t version = 0;
  };
  struct Made {
    bool done = false;
    std::vector<uint64_t> of;  // the versions of the inputs
    std::vector<uint32_t> results;
  };

  void choose(const Plan& plan);
  void place_results(const Plan& plan);

  Device& device_;
  std::vector<uint32_t> steps_;
  std::vector<Made> made_;       // beside steps_
  std::vector<Result> results_;  // per buffer of the Plan
  int64_t wanted_bytes_ = 0;
  DeviceMemory memory_;
  SharedLock memory_lock_;  // of its own: who asks for memory does not wait for kept steps that run
  PackedForms packed_;
  SharedLock lock_;
};

}  // namespace symk
