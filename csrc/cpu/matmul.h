// The functions of a matrix product for one instruction set; matmul_step.cpp decides how work is
// cut.
#pragma once

#include <cstdint>

#include "cpu/epilogue.h"
#include "cpu/isa.h"

namespace symk::cpu {

/// C = A B, and its epilogue, for a block of C. Element (i, d) of A is a[i * a_row + d * a_column];
/// one of the strides is 1.
template <class T>
struct MatmulJob {
  const T* a;
  int64_t a_row, a_column;
  T* packed_a;  // scratch of packed_a_count elements; null: read A where it is
  const T*
      panels;  // B in packed panels, each `panel_step` elements behind the one before; or null:
  int64_t panel_step;
  const T* next_panels;  // those that are read after this job, if they are known
  const T* b;  // element (d, j) of B is b[d * b_row + j * b_column], packed as it is needed into
  int64_t b_row, b_column;
  T* packed_b;  // scratch of packed_b_count elements
  T* c;
  int64_t c_row;
  int64_t m, n, k;
  Epilogue<T> epilogue;  // of the whole block
  bool accumulate;       // add to what is in C
  bool pairs;            // A and B hold pairs of bfloat16 (bfloat16.h); T is float
};

template <class T>
struct MatmulFunctions {
  int64_t tile_rows, tile_columns;
  int64_t packed_a_count, packed_b_count;
  /// Packs B (k x n; element (d, j) at b[d * row + j * column], one of the strides is 1) as panels.
  void (*pack)(const T* b, int64_t row, int64_t column, int64_t k, int64_t n, T* packed,
               int64_t panel_step);
  void (*run)(const MatmulJob<T>& job);
  /// y[i] = sum over d of x[i * row + d] * v[d], for i < rows, d < columns.
  void (*dot_rows)(const T* x, int64_t row, const T* v, T* y, int64_t rows, int64_t columns);
  /// y[j] = sum over i of v[i] * x[i * row + j], for i < rows, j < columns.
  void (*add_rows)(const T* x, int64_t row, const T* v, T* y, int64_t rows, int64_t columns);
  /// y = start + x B for one row of k elements and panels of B, n columns; start may be null, or y.
  void (*multiply_row)(const T* x, int64_t k, const T* panels, int64_t panel_step, const T* start,
                       T* y, int64_t n);
};

struct MatmulKernels {
  MatmulFunctions<float> float32;
  MatmulFunctions<double> float64;
  MatmulFunctions<float> bfloat16;  // of pairs; without the functions of vectors
  template <Isa isa>
  static const MatmulKernels& of();
};
template <>
const MatmulKernels& MatmulKernels::of<Isa::portable>();
template <>
const MatmulKernels& MatmulKernels::of<Isa::avx2>();
template <>
const MatmulKernels& MatmulKernels::of<Isa::avx512>();

}  // namespace symk::cpu
