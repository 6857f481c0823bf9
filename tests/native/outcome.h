// What a native test counts, and what its main returns.
#pragma once

#include <cstdio>

namespace symk::test {

inline int failures = 0;
inline int cases = 0;

inline int report(const char* what) {
  std::printf("%s: %d cases, %d failures\n", what, cases, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace symk::test
