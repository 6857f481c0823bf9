// Products of float32 operands that are rounded to bfloat16 first. Two neighbours along the sum are
// kept in the four bytes of one float32, the first in the low half: a "pair". So all that moves
// elements (strips, panels, blocks) serves pairs as well, and only the multiply-add is another.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace symk::cpu {

/// Rounding is to nearest, halves to even; what is smaller than the least normal number is zero.
struct BfloatKernels {
  /// pairs[i] = (first[i], second[i]); a null pointer stands for zeros.
  void (*join)(const float* first, const float* second, int64_t count, float* pairs);
  /// pairs[i] = (x[2 i], x[2 i + 1]); a missing last element is zero.
  void (*pair_up)(const float* x, int64_t count, float* pairs);
  template <Isa isa>
  static const BfloatKernels& of();
};
template <>
const BfloatKernels& BfloatKernels::of<Isa::portable>();
template <>
const BfloatKernels& BfloatKernels::of<Isa::avx2>();
template <>
const BfloatKernels& BfloatKernels::of<Isa::avx512>();

}  // namespace symk::cpu
