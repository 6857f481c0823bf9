// Moving elements without computing: one strided walk serves copy, broadcast_to, transpose, concat,
// slice and the gradient of slice; pad has rows of its own. Elements are told apart by their size
// alone.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// y[to_base + sum i*to] = x[from_base + sum i*from] over all positions, strides counted in items.
/// The outer axes are walked in order; the inner part is one run, or one plane to be transposed. A
/// unit of work is one chunk of a run, or one tile of a plane.
struct CopyPlan {
  enum Kind { kRun, kFill, kStrided, kTranspose };
  Kind kind = kRun;
  int item = 4;  // bytes: 1, 2, 4 or 8
  int64_t from_base = 0, to_base = 0;

  int outer_rank = 0;
  int64_t outer_size[kMaxRank] = {}, outer_from[kMaxRank] = {}, outer_to[kMaxRank] = {};

  int64_t length = 1, length_from = 1, length_to = 1;  // the inner run
  int64_t width = 1, width_to = 1;  // the second axis of a plane; it is dense in x
  int64_t chunk = 1;                // items of a run in one unit, or side of a tile
  int64_t units = 0;                // 0: nothing to do
  int64_t units_per_part = 1;
};

/// x of shape `size` set into y of shape before + size + after, the rest filled.
struct PadPlan {
  int item = 4;
  uint64_t fill = 0;  // the bits of the fill value, in the low bytes
  int rank = 0;       // at least 1
  int64_t size[kMaxRank] = {}, before[kMaxRank] = {}, after[kMaxRank] = {};
  int64_t rows = 0;  // rows of y: all axes but the last
  int64_t rows_per_part = 1;
};

struct ShapeKernels {
  void (*copy)(const CopyPlan& plan, const void* x, void* y, int64_t first_unit, int64_t last_unit);
  void (*pad)(const PadPlan& plan, const void* x, void* y, int64_t first_row, int64_t last_row);
  template <Isa isa>
  static const ShapeKernels& of();
};
template <>
const ShapeKernels& ShapeKernels::of<Isa::portable>();
template <>
const ShapeKernels& ShapeKernels::of<Isa::avx2>();
template <>
const ShapeKernels& ShapeKernels::of<Isa::avx512>();

}  // namespace symk::cpu
