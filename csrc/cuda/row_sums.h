// Rows that are added into zeros, element by element where they are read: what the rows of an
// embedding's gradient make of it. Compiled by NVRTC too.
#pragma once

#include "cuda/launch.h"

namespace symk::cuda {

struct SortedPair {
  int64_t index, position;
};

/// Zeros (outer, limit, row) with rows (outer, count, row) added where sorted indices say, in the
/// order of their positions.
struct RowSums {
  const void* rows;
  const SortedPair* pairs;
  const int64_t* starts;    // per row of the sum its first pair, and the end of the last one's
  const uint64_t* refused;  // not 0 where an index was refused: then nothing is to be written
  int64_t limit, count, row;
  int32_t small;  // whether all positions of the sum have 31 bits

  template <class T>
  SYMK_HD T at(int64_t index) const {
    return small != 0 ? sum_at<uint32_t, T>(static_cast<uint32_t>(index))
                      : sum_at<uint64_t, T>(static_cast<uint64_t>(index));
  }

 private:
  /// A division of 32 bits takes a fraction of one of 64.
  template <class Index, class T>
  SYMK_HD T sum_at(Index index) const {
    const Index line = index / static_cast<Index>(row);
    const Index column = index - line * static_cast<Index>(row);
    const Index outer = line / static_cast<Index>(limit);
    const Index inner = line - outer * static_cast<Index>(limit);
    const T* const from =
        static_cast<const T*>(rows) + static_cast<int64_t>(outer) * count * row + column;
    T sum = T(0);
    const int64_t last = starts[inner + 1];
    for (int64_t p = starts[inner]; p < last; ++p) sum = sum + from[pairs[p].position * row];
    return sum;
  }
};

}  // namespace symk::cuda
