// What the native tests of CUDA's kernels check one by one.
#pragma once

#include <cstdint>
#include <cstdio>

#include "../outcome.h"

namespace symk::test {

/// Counts a case, and prints what does not hold, with the number that it was tried with.
inline void expect(bool holds, const char* what, int64_t value) {
  ++cases;
  if (holds) return;
  ++failures;
  std::printf("%s: %lld\n", what, static_cast<long long>(value));
}

}  // namespace symk::test
