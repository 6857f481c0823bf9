// Reductions over any axes. The step collapses a shape to outer kept axes, outer reduced axes and
// one innermost run that is reduced (rows) or kept (columns); kernels fold parts of that into
// totals, which the step combines in a fixed order.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

enum class ReduceOp : int { kSum, kProd, kMax, kMin, kAny, kAll };
constexpr int kReduceOps = 6;

/// Columns of one block: their accumulators stay in the first-level cache.
constexpr int64_t kColumnBlock = 1024;

/// Where the elements of an output are. Strides are counted in items of x.
struct ReducePlan {
  int keep_rank = 0;  // outer kept axes
  int64_t keep_size[kMaxRank] = {}, keep_stride[kMaxRank] = {};
  int reduce_rank = 0;  // outer reduced axes
  int64_t reduce_size[kMaxRank] = {}, reduce_stride[kMaxRank] = {};
  int64_t outer = 1;  // product of reduce_size
  int64_t rows = 1;   // columns only: the reduced axis just outside the run; its stride is `inner`
  int64_t inner = 1;  // items of the innermost run
};

/// The offset of a position, given by its number in row-major order, on axes with strides.
[[gnu::always_inline]] inline int64_t offset_of(int64_t position, int rank, const int64_t* size,
                                                const int64_t* stride) {
  int64_t offset = 0;
  for (int axis = rank - 1; axis > 0; --axis) {
    offset += position % size[axis] * stride[axis];
    position /= size[axis];
  }
  return rank > 0 ? offset + position * stride[0] : 0;
}
[[gnu::always_inline]] inline int64_t keep_offset(const ReducePlan& plan, int64_t position) {
  return offset_of(position, plan.keep_rank, plan.keep_size, plan.keep_stride);
}
[[gnu::always_inline]] inline int64_t reduce_offset(const ReducePlan& plan, int64_t position) {
  return offset_of(position, plan.reduce_rank, plan.reduce_size, plan.reduce_stride);
}

/// Calls f(offset, rows) for each stretch of rows at equal distances within [first, last) of outer
/// * rows.
template <class F>
[[gnu::always_inline]] inline void for_stretches(const ReducePlan& plan, int64_t first,
                                                 int64_t last, F&& f) {
  for (int64_t row = first; row < last;) {
    const int64_t within = row % plan.rows;
    const int64_t left = plan.rows - within;
    const int64_t rows = left < last - row ? left : last - row;
    f(reduce_offset(plan, row / plan.rows) + within * plan.inner, rows);
    row += rows;
  }
}

/// Totals are double for float sums and products, int64 for those of integers, bytes for any and
/// all, and the element type itself for max and min.
struct ReduceKernels {
  /// totals[i] for outputs first <= first+i < last: over outer positions [first_row, last_row) and
  /// items [first_item, last_item) of each run.
  using Rows = void (*)(const ReducePlan& plan, const void* x, int64_t first, int64_t last,
                        int64_t first_row, int64_t last_row, int64_t first_item, int64_t last_item,
                        void* totals);
  /// totals[j] for columns first_column <= first_column+j < last_column, at most kColumnBlock of
  /// them, of outer kept position `keep`: over rows [first_row, last_row) of outer * rows.
  using Columns = void (*)(const ReducePlan& plan, const void* x, int64_t keep,
                           int64_t first_column, int64_t last_column, int64_t first_row,
                           int64_t last_row, void* totals);
  /// log(sum(exp)) of outputs first <= i < last, or of columns of one kept position, written to y.
  using LogRows = void (*)(const ReducePlan& plan, const void* x, int64_t first, int64_t last,
                           void* y);
  using LogColumns = void (*)(const ReducePlan& plan, const void* x, int64_t keep,
                              int64_t first_column, int64_t last_column, void* y);
  /// The first position of the largest (smallest) along n for rows [first, last) of (rows, n), n >
  /// 0; or for columns [first, last) of (n, columns), at most kColumnBlock of them. NaN counts as
  /// the largest (smallest).
  using ArgRows = void (*)(const void* x, int64_t n, int64_t first, int64_t last, int64_t* y);
  using ArgColumns = void (*)(const void* x, int64_t n, int64_t columns, int64_t first,
                              int64_t last, int64_t* y);

  // Null where there is none; integers and bool are in `integers` alone.
  Rows rows[kReduceOps][kDTypeCount];
  Columns columns[kReduceOps][kDTypeCount];
  LogRows log_rows[2];  // float32, float64
  LogColumns log_columns[2];
  ArgRows arg_rows[2][kDTypeCount];  // 0: max, 1: min
  ArgColumns arg_columns[2][kDTypeCount];

  template <Isa isa>
  static const ReduceKernels& of();
};
template <>
const ReduceKernels& ReduceKernels::of<Isa::portable>();
template <>
const ReduceKernels& ReduceKernels::of<Isa::avx2>();
template <>
const ReduceKernels& ReduceKernels::of<Isa::avx512>();
template <>
const ReduceKernels& ReduceKernels::of<Isa::integers>();

}  // namespace symk::cpu
