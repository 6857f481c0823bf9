// Weights in the form that a kernel reads them in, made once for all who read the same value in the
// same form: bindings to other batch sizes, other threads, other programs.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/lock.h"
#include "runtime/memory.h"

namespace symk {

/// One value in one form.
class Packed {
 public:
  explicit Packed(int64_t bytes) : memory_(bytes) {}

  int64_t bytes() const { return memory_.bytes(); }

  /// The memory, after pack(memory) has filled it from this version of the value. While somebody
  /// reads it, all who come have the same version: they hold the lock of the value.
  template <class Pack>
  const char* of(uint64_t version, Pack&& pack) {
    if (version == 0 || version_.load(std::memory_order_acquire) != version) {
      const Locked locked(lock_);
      if (version == 0 || version_.load(std::memory_order_relaxed) != version) {
        pack(memory_.data());
        version_.store(version, std::memory_order_release);
      }
    }
    return memory_.data();
  }

 private:
  Block memory_;
  SharedLock lock_;
  std::atomic<uint64_t> version_{0};
};

/// The name of a form: of which kind, and the numbers that it depends on.
std::string form_of(const char* kind, std::initializer_list<int64_t> numbers);

/// The forms of one value, or of the constants of a Plan, by name. A form lives as long as a
/// binding uses it.
class PackedForms {
 public:
  /// Throws Error(kMemory).
  std::shared_ptr<Packed> find(const std::string& form, int64_t bytes);

  /// The bytes of the forms in use.
  int64_t bytes();

 private:
  SharedLock lock_;
  std::vector<std::pair<std::string, std::weak_ptr<Packed>>> forms_;
};

}  // namespace symk
