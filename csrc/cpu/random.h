// Random numbers from counters: any range of a draw can be made without what comes before it.
#pragma once

#include <cstdint>

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// Ranges begin at multiples of this many elements.
constexpr int64_t kRandomChunk = 512;

struct RandomDraw {
  uint64_t seed, counter;  // counter of element 0
  double a, b;             // low and high - low; mean and standard deviation; p and the value
  int64_t low;             // of integers; high - low stands in b
};

/// Elements [first, last) of a draw to out[first], ...
using DrawFunction = void (*)(const RandomDraw& draw, void* out, int64_t first, int64_t last);

/// By dtype of the result; null where there is none. float16 and integers, but for int32 and int64,
/// are in `integers` alone. Bits are equal for all instruction sets, but for the last place of the
/// two normal draws.
struct RandomKernels {
  DrawFunction uniform[kDTypeCount];
  DrawFunction normal[kDTypeCount];
  DrawFunction truncated_normal[kDTypeCount];
  DrawFunction bernoulli[kDTypeCount];
  DrawFunction integers[kDTypeCount];

  template <Isa isa>
  static const RandomKernels& of();
};
template <>
const RandomKernels& RandomKernels::of<Isa::portable>();
template <>
const RandomKernels& RandomKernels::of<Isa::avx2>();
template <>
const RandomKernels& RandomKernels::of<Isa::avx512>();
template <>
const RandomKernels& RandomKernels::of<Isa::integers>();

}  // namespace symk::cpu
