// What ranking looks for in many elements at once, for one instruction set.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace symk::cpu {

template <class T>
struct RankingFunctions {
  /// The largest element of each `length` of the n elements of a row; infinity if there is a NaN.
  void (*block_tops)(const T* row, int64_t n, int64_t length, T* tops);
  /// Bit i: whether x[i] is not below the limit; of n elements, 64 at most.
  uint64_t (*not_below)(const T* x, int n, T limit);
  /// How many of n elements are above the limit, or n if one is not finite. Of integers null.
  int64_t (*count_above)(const T* x, int64_t n, T limit);
};

struct RankingKernels {
  RankingFunctions<float> float32;
  RankingFunctions<double> float64;
  template <Isa isa>
  static const RankingKernels& of();
};
template <>
const RankingKernels& RankingKernels::of<Isa::portable>();
template <>
const RankingKernels& RankingKernels::of<Isa::avx2>();
template <>
const RankingKernels& RankingKernels::of<Isa::avx512>();

}  // namespace symk::cpu
