// A matrix product as its kernel finds it when it binds: sizes, strides, and where each product of
// a batch begins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/error.h"
#include "runtime/kernel.h"

namespace symk::cpu {

/// A matrix product with leading axes: shapes, strides and where each product of the batch begins.
struct MatmulProblem {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_column = 0, b_row = 0,
          b_column = 0;                   // strides of the operands as multiplied
  std::vector<int64_t> a_start, b_start;  // one per product of the batch
};

[[noreturn]] inline void refuse_matmul(const std::string& text) {
  throw Error(ErrorCode::kShape, "[matmul] " + text);
}

/// Size of `axis` counted from the right among the leading axes; missing ones are 1.
inline int64_t leading_size(const Type& type, int axis) {
  const int i = type.rank - 3 - axis;
  return i < 0 ? 1 : type.shape[i];
}

inline std::vector<int64_t> batch_starts(const Type& type, const Type& result) {
  int64_t batch = 1;
  for (int i = 0; i < result.rank - 2; ++i) batch *= result.shape[i];
  std::vector<int64_t> starts(static_cast<size_t>(batch));
  for (int64_t item = 0; item < batch; ++item) {
    int64_t rest = item, stride = type.shape[type.rank - 1] * type.shape[type.rank - 2];
    for (int axis = 0; axis < result.rank - 2; ++axis) {
      const int64_t size = leading_size(type, axis);
      const int64_t position = rest % leading_size(result, axis);
      rest /= leading_size(result, axis);
      if (size != 1) starts[static_cast<size_t>(item)] += position * stride;
      stride *= size;
    }
  }
  return starts;
}

inline void check_leading(const Type& a, const Type& b, const Type& c) {
  if (c.rank != std::max(a.rank, b.rank))
    refuse_matmul("the result must have the rank of the larger operand.");
  for (int axis = 0; axis < c.rank - 2; ++axis) {
    const int64_t p = leading_size(a, axis), q = leading_size(b, axis), r = leading_size(c, axis);
    if ((p != r && p != 1) || (q != r && q != 1) || (r != p && r != q)) {
      refuse_matmul("leading axes must be equal or 1.");
    }
  }
}

/// Checks that the operands belong together. Throws Error.
inline MatmulProblem read_matmul(const Binding& binding) {
  const auto& in = binding.inputs();
  if (in.size() < 2 || binding.outputs().size() != 1)
    refuse_matmul("wants a, b and the operands of its epilogue.");
  const Type &a = in[0], &b = in[1], &c = binding.outputs()[0];
  if (a.rank < 2 || b.rank < 2 || c.rank < 2)
    refuse_matmul("operands must have at least two axes.");
  for (const Type& type : in) {
    if (type.dtype != c.dtype)
      throw Error(ErrorCode::kDtype, "[matmul] operands must have one dtype.");
  }
  const bool transpose_a = binding.integer("transpose_a", 0) != 0;
  const bool transpose_b = binding.integer("transpose_b", 0) != 0;
  const int64_t a_rows = a.shape[a.rank - 2], a_columns = a.shape[a.rank - 1];
  const int64_t b_rows = b.shape[b.rank - 2], b_columns = b.shape[b.rank - 1];
  MatmulProblem p;
  p.m = transpose_a ? a_columns : a_rows;
  p.k = transpose_a ? a_rows : a_columns;
  p.n = transpose_b ? b_rows : b_columns;
  if (p.k != (transpose_b ? b_columns : b_rows)) refuse_matmul("inner sizes must agree.");
  if (c.shape[c.rank - 2] != p.m || c.shape[c.rank - 1] != p.n)
    refuse_matmul("the result has the wrong sizes.");
  check_leading(a, b, c);
  p.a_row = transpose_a ? 1 : a_columns;
  p.a_column = transpose_a ? a_columns : 1;
  p.b_row = transpose_b ? 1 : b_columns;
  p.b_column = transpose_b ? b_columns : 1;
  p.a_start = batch_starts(a, c);
  p.b_start = batch_starts(b, c);
  const bool one_b = b.count() == b_rows * b_columns;
  if (one_b && !transpose_a && p.a_start.size() > 1 &&
      a.count() == c.count() / std::max<int64_t>(p.n, 1) * p.k) {
    p.m *= static_cast<int64_t>(p.a_start.size());  // all rows of the batch are rows of one product
    p.a_start.assign(1, 0);
    p.b_start.assign(1, 0);
  }
  return p;
}

}  // namespace symk::cpu
