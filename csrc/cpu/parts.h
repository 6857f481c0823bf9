// How steps cut work into parts.
#pragma once

#include <cstdint>

#include "runtime/memory.h"
#include "runtime/threads.h"

namespace symk::cpu {

constexpr int64_t kMaxParts = 16;  // enough to balance threads; parts may have scratch of their own
constexpr int64_t kPartFlops =
    1 << 20;  // some 4 us of one core: what makes a second thread worth waking
constexpr int64_t kPartElements = 1 << 16;  // the same for work that is bound by memory

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value > high ? (high > low ? high : low) : (value > low ? value : low);
}

/// Elements rounded up to whole cache lines, so that the next array in scratch is aligned.
template <class T>
int64_t whole_lines(int64_t count) {
  return aligned_size(checked_multiply(count, sizeof(T))) / static_cast<int64_t>(sizeof(T));
}

/// part(0) .. part(parts - 1); one part does not disturb the pool.
template <class F>
void run_parts(ThreadPool& pool, int64_t parts, F&& part) {
  if (parts == 1) {
    part(0);
  } else {
    pool.parallel(parts, part);
  }
}

/// The first of the `count` things that part `part` of `parts` does; its last is before the first
/// of the next part.
inline int64_t part_begin(int64_t count, int64_t part, int64_t parts) {
  return count * part / parts;
}

}  // namespace symk::cpu
