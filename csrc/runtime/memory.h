// Aligned memory, and arithmetic on byte counts that cannot wrap.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symk {

constexpr int64_t kAlignment = 64;  // a cache line, and the widest vector

/// The product or sum of two counts. Throws Error(kShape) when it does not fit 63 bits.
int64_t checked_multiply(int64_t a, int64_t b);
int64_t checked_add(int64_t a, int64_t b);

/// Rounds a byte count up to the alignment.
int64_t aligned_size(int64_t bytes);

/// Memory, zeroed, 64-byte aligned; a large one asks for huge pages. Throws Error(kMemory).
void* allocate_bytes(int64_t bytes);
/// Gives back what allocate_bytes(bytes) gave, or null.
void release_bytes(void* memory, int64_t bytes) noexcept;

/// A block of such memory.
class Block {
 public:
  Block() = default;
  explicit Block(int64_t bytes) : data_(allocate_bytes(bytes)), bytes_(bytes) {}
  ~Block() { release_bytes(data_, bytes_); }
  Block(Block&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
    other.bytes_ = 0;
  }
  Block& operator=(Block&& other) noexcept;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  char* data() const { return static_cast<char*>(data_); }
  int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace symk
