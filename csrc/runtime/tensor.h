// A value that lives between calls: the memory of a shared variable, its version, and a lock for
// those who use it.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/lock.h"
#include "runtime/memory.h"
#include "runtime/packed.h"
#include "runtime/view.h"

namespace symk {

/// Programs that only read a tensor run at the same time; one that changes it has it alone. The
/// memory never moves.
class Tensor {
 public:
  /// Zeros of this type. Throws Error(kShape) for a size that cannot be, Error(kMemory).
  explicit Tensor(const Type& type);

  const Type& type() const { return type_; }
  void* data() const { return memory_.data(); }
  SharedLock& lock() { return lock_; }
  /// The value in the forms that kernels read it in; packed by those who hold the lock.
  PackedForms& packed() { return packed_; }

  /// At least 1, and another number after each change of the value.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void changed() { version_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  Type type_;
  Block memory_;
  SharedLock lock_;
  PackedForms packed_;
  std::atomic<uint64_t> version_{1};
};

}  // namespace symk
