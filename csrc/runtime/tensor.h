// A value that lives between calls: the memory of a shared variable, its version, its copies on
// other devices, and a lock for those who use it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/device.h"
#include "runtime/lock.h"
#include "runtime/memory.h"
#include "runtime/packed.h"
#include "runtime/view.h"

namespace symk {

/// Programs that only read a tensor run at the same time; one that changes it has it alone. The
/// memory never moves. On other devices than the host a tensor has copies, made when a program
/// there first wants it, brought up to date before its calls.
class Tensor {
 public:
  /// Zeros of this type. Throws Error(kShape) for a size that cannot be, Error(kMemory).
  explicit Tensor(const Type& type);

  const Type& type() const { return type_; }
  /// The memory of the host; it holds the value after `bring_home`.
  void* data() const { return memory_.data(); }
  /// The memory of a device; it holds the value after `bring_to`. Throws Error(kMemory).
  void* data_on(Device& device);
  SharedLock& lock() { return lock_; }
  /// The value in the forms that kernels read it in; packed by those who hold the lock.
  PackedForms& packed() { return packed_; }

  /// At least 1, and another number after each change of the value.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  /// The value in the memory of the host has changed, or been replaced as a whole.
  void changed() {
    away_.store(false, std::memory_order_relaxed);
    version_.fetch_add(1, std::memory_order_acq_rel);
  }
  /// The value in the memory of a device has changed.
  void changed_on(Device& device);

  /// Copies the value to where it is wanted unless it is there; for those who hold the lock.
  void bring_home() {
    if (away_.load(std::memory_order_acquire)) fetch();
  }
  /// `peers` are the devices from whose memory copies are under way to this one; they may change it
  /// when they have been told to wait.
  void bring_to(Device& device, std::vector<Device*>& peers);

 private:
  struct Copy {
    Device* device = nullptr;
    DeviceMemory memory;
    uint64_t version = 0;  // of the value that it holds
  };

  Copy& copy_on(Device& device);
  bool bring_from_peer(Copy& to, std::vector<Device*>& peers);
  void fetch();
  void fetch_locked();

  Type type_;
  Block memory_;
  SharedLock lock_;
  PackedForms packed_;
  std::atomic<uint64_t> version_{1};
  std::atomic<bool> away_{false};  // whether only a copy holds the value
  SharedLock copies_lock_;
  std::vector<std::unique_ptr<Copy>> copies_;
};

/// The tensors that calls use. All are locked in the order of their addresses, so that two calls
/// cannot wait for each other.
class TensorLocks {
 public:
  /// A tensor may be added again; it is then changed if any says so. Whether it is a new one.
  bool add(Tensor& tensor, bool changes);
  void lock();
  void unlock();
  /// Copies all values to a device unless they are there; for those who hold the locks.
  void bring_to(Device& device);

 private:
  struct Lock {
    Tensor* tensor = nullptr;
    bool changes = false;
  };
  std::vector<Lock> locks_;  // by address
};

}  // namespace symk
