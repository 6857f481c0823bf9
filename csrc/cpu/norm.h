// Batch normalisation over arrays (rows, channels). Values of a channel repeat along a line of
// several whole rows, so that the loops are long however few the channels are.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// A line is `repeats` rows side by side; vectors of per-channel values have `repeats * channels`
/// items.
struct NormPlan {
  int64_t rows = 0, channels = 0;
  int64_t repeats = 1;
};

/// All functions work on rows first..last-1. `sums` receives two doubles per channel: first all of
/// the one, then all of the other sum.
struct NormKernels {
  /// Sums of x - shift and of its square.
  using Moments = void (*)(const NormPlan& plan, const void* x, const void* shift, int64_t first,
                           int64_t last, double* sums);
  /// y = (x - mean) * scale + beta.
  using Normalise = void (*)(const NormPlan& plan, const void* x, const void* mean,
                             const void* scale, const void* beta, int64_t first, int64_t last,
                             void* y);
  /// Sums of g and of g * (x - mean).
  using GradSums = void (*)(const NormPlan& plan, const void* x, const void* g, const void* mean,
                            int64_t first, int64_t last, double* sums);
  /// dx = scale * g - slope * (x - mean) - offset.
  using GradInput = void (*)(const NormPlan& plan, const void* x, const void* g, const void* mean,
                             const void* scale, const void* slope, const void* offset,
                             int64_t first, int64_t last, void* dx);

  Moments moments[2];  // float32, float64, unless that is left to AVX2
  Normalise normalise[2];
  GradSums grad_sums[2];
  GradInput grad_input[2];

  template <Isa isa>
  static const NormKernels& of();
};
template <>
const NormKernels& NormKernels::of<Isa::portable>();
template <>
const NormKernels& NormKernels::of<Isa::avx2>();
template <>
const NormKernels& NormKernels::of<Isa::avx512>();

}  // namespace symk::cpu
