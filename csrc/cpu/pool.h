// Pooling over windows of one to three axes, channels last, and the gradients. Windows hang over
// the border where padding is "same"; what hangs over does not count.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// One axis of a pool: window o covers positions o * stride - before and the window - 1 after it.
struct PoolAxis {
  int64_t size = 1, results = 1, window = 1, stride = 1, before = 0;
};

/// A pool of volumes (batch, planes, rows, columns, channels). Fewer axes: lines are planes of one
/// pixel, images are planes of one row.
struct PoolPlan {
  int64_t batch = 0, channels = 0;
  PoolAxis planes, rows, columns;

  int64_t line() const { return columns.size * channels; }
  int64_t plane() const { return rows.size * line(); }
  int64_t x_count() const { return planes.size * plane(); }
  int64_t y_count() const {
    return planes.results * rows.results * columns.results * channels;
  }
};

/// A part is planes first..last-1 of one volume of the result of the forward op. Gradient kernels
/// write those planes of dx that begin at the windows of that part and end where the next part's
/// windows begin, so parts never share a plane.
struct PoolKernels {
  using Forward = void (*)(const PoolPlan& plan, const void* x, int64_t volume, int64_t first,
                           int64_t last, void* y);
  using MaxGrad = void (*)(const PoolPlan& plan, const void* x, const void* y, const void* g,
                           int64_t volume, int64_t first, int64_t last, void* dx);
  using MaxPick = void (*)(const PoolPlan& plan, const void* x, const void* y, const void* v,
                           int64_t volume, int64_t first, int64_t last, void* picked);
  using AverageGrad = void (*)(const PoolPlan& plan, const void* g, int64_t volume, int64_t first,
                               int64_t last, void* dx);

  Forward max[2];  // float32, float64, unless that is left to AVX2
  Forward average[2];
  MaxGrad max_grad[2];
  MaxPick max_pick[2];
  AverageGrad average_grad[2];

  template <Isa isa>
  static const PoolKernels& of();
};
template <>
const PoolKernels& PoolKernels::of<Isa::portable>();
template <>
const PoolKernels& PoolKernels::of<Isa::avx2>();
template <>
const PoolKernels& PoolKernels::of<Isa::avx512>();

}  // namespace symk::cpu
