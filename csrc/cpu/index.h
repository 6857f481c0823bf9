// Rows by number: gather, scatter_add, one_hot. Indices of any integer dtype are first read into
// int64, and checked.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// Rows of an array (outer, limit, row) are addressed by `count` indices: the other array is
/// (outer, count, row).
struct IndexPlan {
  int64_t outer = 1, limit = 0, count = 0;
  int64_t row = 1;  // items of one row
  int item = 4;     // bytes of an item
};

struct IndexKernels {
  /// Writes indices first..last-1 to the same places of `rows`; negative ones count from the end.
  /// Returns the position of the first that is outside [-limit, limit), or -1.
  using Read = int64_t (*)(const void* indices, int64_t first, int64_t last, int64_t limit,
                           int64_t* rows);
  /// Rows first..last-1 of the (outer * count) rows of y.
  using Gather = void (*)(const IndexPlan& plan, const void* x, const int64_t* rows, int64_t first,
                          int64_t last, void* y);
  /// Rows first..last-1 of outer position `outer` of y: those of x, which may be y, or zeros if x
  /// is null, and the rows of g that belong there, in their order.
  using ScatterAdd = void (*)(const IndexPlan& plan, const void* x, const void* g,
                              const int64_t* rows, int64_t outer, int64_t first, int64_t last,
                              void* y);

  // What works on integers is in the table of `integers` alone.
  Read read[kDTypeCount];
  Gather gather;
  ScatterAdd scatter_add[kDTypeCount];  // null for float16 and bool

  template <Isa isa>
  static const IndexKernels& of();
};
template <>
const IndexKernels& IndexKernels::of<Isa::portable>();
template <>
const IndexKernels& IndexKernels::of<Isa::avx2>();
template <>
const IndexKernels& IndexKernels::of<Isa::avx512>();
template <>
const IndexKernels& IndexKernels::of<Isa::integers>();

}  // namespace symk::cpu
