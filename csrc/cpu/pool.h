// Pooling over windows of images (batch, height, width, channels), and the gradients. Windows hang
// over the border where padding is "same"; what hangs over does not count.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

struct PoolPlan {
  int64_t batch = 0, height = 0, width = 0, channels = 0;
  int64_t out_height = 0, out_width = 0;
  int64_t window_height = 1, window_width = 1, stride_height = 1, stride_width = 1;
  int64_t pad_top = 0, pad_left = 0;
};

/// A part is rows first..last-1 of one image of the result of the forward op. Gradient kernels
/// write those rows of dx that begin at the windows of that part and end where the next part's
/// windows begin, so parts never share a row.
struct PoolKernels {
  using Forward = void (*)(const PoolPlan& plan, const void* x, int64_t image, int64_t first,
                           int64_t last, void* y);
  using MaxGrad = void (*)(const PoolPlan& plan, const void* x, const void* y, const void* g,
                           int64_t image, int64_t first, int64_t last, void* dx);
  using MaxPick = void (*)(const PoolPlan& plan, const void* x, const void* y, const void* v,
                           int64_t image, int64_t first, int64_t last, void* picked);
  using AverageGrad = void (*)(const PoolPlan& plan, const void* g, int64_t image, int64_t first,
                               int64_t last, void* dx);

  Forward max[2];  // float32, float64
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
