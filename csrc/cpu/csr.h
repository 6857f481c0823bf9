// Sparse matrices in compressed rows: row r has the elements bounds[r] .. bounds[r + 1] - 1, each
// with its column and its value. Elements at one place add up.
#pragma once

#include <cstdint>

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// The matrix, and the width of the dense one that it meets. Indices and bounds have one dtype, and
/// were checked.
struct CsrPlan {
  int64_t rows = 0, columns = 0, count = 0;  // of elements
  int64_t width = 0;
};

struct CsrOperands {
  const void *values, *columns, *bounds, *dense;
  void* y;
};

struct CsrKernels {
  /// Rows first..last-1 of y, which has what the name says.
  using Rows = void (*)(const CsrPlan& plan, const CsrOperands& operands, int64_t first,
                        int64_t last);
  /// Whether all columns are from 0 to limit - 1.
  using AllInside = bool (*)(const void* columns, int64_t count, int64_t limit);
  /// Whether rows + 1 bounds ascend from 0 to count.
  using Ascend = bool (*)(const void* bounds, int64_t rows, int64_t count);

  // By dtype of the values (only floats multiply) and by whether indices are int64.
  Rows matmul[2][2];             // the matrix times `dense` (columns, width)
  Rows transposed_matmul[2][2];  // its transpose times `dense` (rows, width)
  // No vectors: in the table of `integers` alone.
  Rows to_dense[kDTypeCount][2];  // the matrix itself; null for float16 and bool
  Rows row_numbers[2];            // the row of each element of rows first..last-1
  AllInside all_inside[2];
  Ascend ascend[2];

  template <Isa isa>
  static const CsrKernels& of();
};
template <>
const CsrKernels& CsrKernels::of<Isa::portable>();
template <>
const CsrKernels& CsrKernels::of<Isa::avx2>();
template <>
const CsrKernels& CsrKernels::of<Isa::avx512>();
template <>
const CsrKernels& CsrKernels::of<Isa::integers>();

}  // namespace symk::cpu
