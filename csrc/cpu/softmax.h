// Softmax, its relatives and their gradients along one axis, and the cross-entropies over the last
// axis.
#pragma once

#include <cstdint>

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// Lines of n elements along the last axis: lines [first, last) of dense arrays.
template <class T>
using RowsFunction = void (*)(const T* a, const T* b, T* y, int64_t n, int64_t first, int64_t last);

/// How many lines beside each other one call takes at most.
constexpr int64_t kStripWidth = 256;

/// Lines of n elements along another axis: one slab of n rows that are `stride` elements apart,
/// `width` lines beside each other. b is null for operations of one operand.
template <class T>
using ColumnsFunction = void (*)(const T* a, const T* b, T* y, int64_t n, int64_t stride,
                                 int64_t width);

template <class T>
struct LineFunctions {
  RowsFunction<T> rows;
  ColumnsFunction<T> columns;
};

template <class T>
struct SoftmaxFunctions {
  LineFunctions<T> softmax, log_softmax, softmax_grad, log_softmax_grad;
  /// y has one element per line; targets are like the logits.
  RowsFunction<T> cross_entropy;
  /// The same for labels, each from 0 to n - 1.
  void (*sparse_cross_entropy)(const T* logits, const void* labels, DType label_dtype, T* y,
                               int64_t n, int64_t first, int64_t last);
};

struct SoftmaxKernels {
  SoftmaxFunctions<float> float32;
  SoftmaxFunctions<double> float64;  // unless that is left to AVX2

  template <Isa isa>
  static const SoftmaxKernels& of();
};
template <>
const SoftmaxKernels& SoftmaxKernels::of<Isa::portable>();
template <>
const SoftmaxKernels& SoftmaxKernels::of<Isa::avx2>();
template <>
const SoftmaxKernels& SoftmaxKernels::of<Isa::avx512>();

}  // namespace symk::cpu
