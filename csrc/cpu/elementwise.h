// The loops of elementwise ops: one per op and dtype, over dense arrays. The program that strings
// them together is bound in elementwise_step.cpp.
#pragma once

#include <cstdint>

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// out[i] = op(in[0][i], in[1][i], ...) for 0 <= i < n. `out` may be exactly one of the inputs if
/// the items have equal size.
using Loop = void (*)(const void* const* in, void* out, int64_t n);

struct LoopEntry {
  uint8_t op;     // its number (math/ops.h)
  DType operand;  // of the last operand: the first of `where` is bool
  DType result;
  uint8_t arity;
  Loop loop;
};

/// The sets have loops of floating numbers and bool; those of integers, and other casts, are in
/// `integers`.
struct ElementwiseKernels {
  const LoopEntry* loops;
  int loop_count;
  // From a dtype to another, or null. float16 stands for numbers in float32 form: see `round_half`.
  Loop casts[kDTypeCount][kDTypeCount];
  // Not in `integers`:
  Loop widen_half;   // float16 in memory to float32
  Loop narrow_half;  // float32 to float16 in memory
  Loop round_half;   // float32 to the nearest number that float16 has
  // Bytes of an item, 1, 2, 4 or 8.
  void (*fill)(void* out, const void* item, int item_bytes, int64_t n);

  template <Isa isa>
  static const ElementwiseKernels& of();
};
template <>
const ElementwiseKernels& ElementwiseKernels::of<Isa::portable>();
template <>
const ElementwiseKernels& ElementwiseKernels::of<Isa::avx2>();
template <>
const ElementwiseKernels& ElementwiseKernels::of<Isa::avx512>();
template <>
const ElementwiseKernels& ElementwiseKernels::of<Isa::integers>();

}  // namespace symk::cpu
