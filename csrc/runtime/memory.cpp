// Aligned memory from the system. Blocks of several megabytes are mapped, on a boundary of huge
// pages: so they cost far fewer page faults and address translations.
#include "runtime/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "runtime/error.h"

namespace symk {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
#if defined(__SANITIZE_ADDRESS__)
constexpr int64_t kMapped =
    INT64_MAX;  // the sanitizer watches the edges of what malloc gives, and no others
#else
constexpr int64_t kMapped = 2 * kHugePage;  // below this, most of a huge page would be waste
#endif

int64_t mapped_size(int64_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

[[noreturn]] void fail(int64_t bytes) {
  throw Error(ErrorCode::kMemory, "[memory] " + std::to_string(bytes) +
                                      " bytes are required; the system refused them.");
}

/// Maps one huge page more than is wanted and gives back what lies outside of the boundaries.
void* map_aligned(int64_t bytes) {
  const int64_t wanted = mapped_size(bytes);
  void* const raw = mmap(nullptr, static_cast<size_t>(wanted + kHugePage), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) fail(bytes);
  char* const begin = static_cast<char*>(raw);
  const int64_t before = -reinterpret_cast<intptr_t>(begin) & (kHugePage - 1);
  if (before > 0) munmap(begin, static_cast<size_t>(before));
  munmap(begin + before + wanted, static_cast<size_t>(kHugePage - before));
  madvise(begin + before, static_cast<size_t>(wanted),
          MADV_HUGEPAGE);  // a wish; refusal is no error
  return begin + before;
}

}  // namespace

int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_mul_overflow(a, b, &result)) return result;
  throw Error(ErrorCode::kShape, "[sizes] a size must fit 63 bits; " + std::to_string(a) + " * " +
                                     std::to_string(b) + " does not.");
}

int64_t checked_add(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_add_overflow(a, b, &result)) return result;
  throw Error(ErrorCode::kShape, "[sizes] a size must fit 63 bits; " + std::to_string(a) + " + " +
                                     std::to_string(b) + " does not.");
}

int64_t aligned_size(int64_t bytes) {
  return checked_add(bytes, kAlignment - 1) / kAlignment * kAlignment;
}

void* allocate_bytes(int64_t bytes) {
  if (bytes > INT64_MAX / 2) fail(bytes);
  if (bytes >= kMapped) return map_aligned(bytes);
  const auto size = static_cast<size_t>(bytes > 0 ? aligned_size(bytes) : kAlignment);
  void* const memory = std::aligned_alloc(kAlignment, size);
  if (memory == nullptr) fail(bytes);
  std::memset(memory, 0, size);
  return memory;
}

void release_bytes(void* memory, int64_t bytes) noexcept {
  if (memory != nullptr && bytes >= kMapped) {
    munmap(memory, static_cast<size_t>(mapped_size(bytes)));
  } else {
    std::free(memory);
  }
}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace symk
