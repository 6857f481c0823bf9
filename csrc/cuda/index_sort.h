// Positions sorted by their index, those of equal indices in their order: what a sum into rows
// needs so that its order does not depend on how threads run. A radix sort of eight bits at a time,
// each pass in three kernels: blocks count their digits, one block finds where each goes, blocks
// place.
#pragma once

#include <utility>

#include "cuda/launch.h"
#include "cuda/row_sums.h"
#include "runtime/memory.h"

namespace symk::cuda {

constexpr int kDigits = 256;  // also the positions of one block, and its threads

/// counts[digit * blocks + block] of the digit at `shift`.
struct CountDigits {
  const SortedPair* pairs;
  int64_t count, blocks;
  int shift;
  int64_t* counts;
  SYMK_HD void operator()(int64_t block) const {
    __shared__ int digits[kDigits];
    const int64_t i = block * kDigits + threadIdx.x;
    digits[threadIdx.x] =
        i < count ? static_cast<int>(pairs[i].index >> shift & (kDigits - 1)) : -1;
    __syncthreads();
    int64_t found = 0;
    for (int k = 0; k < kDigits; ++k) found += digits[k] == static_cast<int>(threadIdx.x);
    counts[threadIdx.x * blocks + block] = found;
  }
};

/// counts[i] becomes the sum of all before it. One block.
struct SumBefore {
  int64_t* counts;
  int64_t count;
  SYMK_HD void operator()(int64_t) const {
    __shared__ int64_t totals[kDigits];
    const int64_t run = (count + kDigits - 1) / kDigits, first = threadIdx.x * run;
    const int64_t last = first + run < count ? first + run : count;
    int64_t total = 0;
    for (int64_t i = first; i < last; ++i) total += counts[i];
    totals[threadIdx.x] = total;
    __syncthreads();
    int64_t before = 0;
    for (int k = 0; k < static_cast<int>(threadIdx.x); ++k) before += totals[k];
    for (int64_t i = first; i < last; ++i) {
      const int64_t own = counts[i];
      counts[i] = before;
      before += own;
    }
  }
};

struct PlaceDigits {
  const SortedPair* pairs;
  SortedPair* placed;
  int64_t count, blocks;
  int shift;
  const int64_t* counts;
  SYMK_HD void operator()(int64_t block) const {
    __shared__ int digits[kDigits];
    const int64_t i = block * kDigits + threadIdx.x;
    const int digit = i < count ? static_cast<int>(pairs[i].index >> shift & (kDigits - 1)) : -1;
    digits[threadIdx.x] = digit;
    __syncthreads();
    if (digit < 0) return;
    int64_t place = counts[digit * blocks + block];
    for (int k = 0; k < static_cast<int>(threadIdx.x); ++k) place += digits[k] == digit;
    placed[place] = pairs[i];
  }
};

/// The sort of `count` pairs whose indices are from 0 to below `limit`.
class IndexSort {
 public:
  IndexSort(int64_t count, int64_t limit)
      : count_(count), blocks_((count + kDigits - 1) / kDigits) {
    for (int64_t rest = limit - 1; rest > 0; rest >>= 8) ++passes_;
  }

  int64_t scratch_bytes() const { return 2 * pairs_bytes() + counts_bytes(); }
  /// Where the pairs are to be written.
  SortedPair* pairs(void* scratch) const { return static_cast<SortedPair*>(scratch); }

  /// The pairs in order, in scratch.
  const SortedPair* run(const Queue& queue, void* scratch) const {
    SortedPair* from = pairs(scratch);
    SortedPair* to = reinterpret_cast<SortedPair*>(static_cast<char*>(scratch) + pairs_bytes());
    int64_t* const counts =
        reinterpret_cast<int64_t*>(static_cast<char*>(scratch) + 2 * pairs_bytes());
    for (int pass = 0; pass < passes_; ++pass) {
      blocks(queue, blocks_, kDigits, 0, CountDigits{from, count_, blocks_, 8 * pass, counts});
      blocks(queue, 1, kDigits, 0, SumBefore{counts, kDigits * blocks_});
      blocks(queue, blocks_, kDigits, 0, PlaceDigits{from, to, count_, blocks_, 8 * pass, counts});
      std::swap(from, to);
    }
    return from;
  }

 private:
  int64_t pairs_bytes() const {
    return aligned_size(checked_multiply(count_, static_cast<int64_t>(sizeof(SortedPair))));
  }
  int64_t counts_bytes() const {
    return checked_multiply(kDigits * static_cast<int64_t>(sizeof(int64_t)), blocks_);
  }

  int64_t count_, blocks_;
  int passes_ = 0;
};

}  // namespace symk::cuda
