// What the bindings of reductions share: the collapsed shape, and what is done with totals once
// kernels have found them. For *_step.cpp files.
#pragma once

#include <cstring>
#include <vector>

#include "cpu/reduce.h"
#include "cpu/require.h"
#include "runtime/view.h"

namespace symk::cpu {

constexpr int64_t kTotalBytes = 8;                 // room for one total of any kind
constexpr int64_t kSplitItems = 64 * 1024;         // elements of one part where one output is split
constexpr int64_t kColumnSplitItems = 128 * 1024;  // the same for a block of columns
constexpr int64_t kEnoughParts = 16;               // with as many outputs or blocks, none is split

/// The collapsed shape: `plan`, and whether the innermost run is reduced.
struct Collapsed {
  ReducePlan plan;
  bool inner_reduced = true;
  int64_t keeps = 1;  // outer kept positions
  int64_t outputs = 1;
  int64_t reduced = 1;  // elements of one output
};

Collapsed collapse(const Type& x, const std::vector<bool>& reduced);

/// The kernels of a reduction, or null.
ReduceKernels::Rows reduce_rows(ReduceOp op, DType x);
ReduceKernels::Columns reduce_columns(ReduceOp op, DType x);

/// Divides n totals and writes them as elements.
using Finish = void (*)(const void* totals, int64_t n, double divisor, void* y);
/// Combines n totals with more of the same outputs.
using Combine = void (*)(void* totals, const void* more, int64_t n);

/// Throws Error naming the kernel when there is no such reduction from x to y.
Finish choose_finish(const char* name, ReduceOp op, DType x, DType y);
Combine choose_combine(ReduceOp op, DType x);
int64_t total_bytes(ReduceOp op, DType x);

}  // namespace symk::cpu
