// What memory a step reads and writes, from which it follows in what order steps must be done.
#pragma once

#include <cstdint>
#include <vector>

namespace symk {

/// A stretch of memory: bytes [begin, end) of a space, such as the arena.
struct Span {
  const void* space = nullptr;
  int64_t begin = 0, end = 0;
};

struct Touched {
  std::vector<Span> read, written;
};

}  // namespace symk
