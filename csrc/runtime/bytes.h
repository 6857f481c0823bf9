// Bytes of a file in memory that stay where they are: mapped and so shared with other processes,
// copied, or lent by the caller.
#pragma once

#include <cstddef>
#include <memory>

#include "runtime/memory.h"

namespace symk {

class Bytes {
 public:
  /// The content of a file, read-only; pages come when they are first used. Throws Error(kFile).
  static std::shared_ptr<const Bytes> map(const char* path);
  /// A copy, aligned to kAlignment. Throws Error(kMemory).
  static std::shared_ptr<const Bytes> copy(const void* bytes, size_t count);
  /// Memory of the caller, which must stay as long as these Bytes and be aligned to kAlignment.
  /// Throws Error(kArgument) when it is not.
  static std::shared_ptr<const Bytes> lend(const void* bytes, size_t count);

  ~Bytes();
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  const char* data() const { return data_; }
  size_t count() const { return count_; }

 private:
  Bytes() = default;

  const char* data_ = nullptr;
  size_t count_ = 0;
  bool mapped_ = false;
  Block copy_;
};

/// Replaces the content of a file in one step that a crash cannot divide. Throws Error(kFile).
void write_whole_file(const char* path, const char* bytes, size_t count);

}  // namespace symk
