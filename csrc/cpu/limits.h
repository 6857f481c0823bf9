// What this machine can do at best: the measure beside which profiles put the times of steps.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace symk::cpu {

/// Multiply-adds from registers alone, in float32.
struct LimitKernels {
  /// Does `rounds` rounds; the sum of all lanes is returned, so that no round can be left out.
  float (*multiply_add)(int64_t rounds);
  int64_t flops_per_round;

  template <Isa isa>
  static const LimitKernels& of();
};
template <>
const LimitKernels& LimitKernels::of<Isa::portable>();
template <>
const LimitKernels& LimitKernels::of<Isa::avx2>();
template <>
const LimitKernels& LimitKernels::of<Isa::avx512>();

struct Limits {
  double flops_per_s = 0;  // multiply-adds count as two
  double bytes_per_s = 0;  // read and written, of a copy that no cache holds
};

/// Measures with all threads of the pool, in about a tenth of a second.
Limits measure_limits();

}  // namespace symk::cpu
