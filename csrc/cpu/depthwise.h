// The functions of depthwise convolutions for one instruction set; depthwise_step.cpp cuts the work.
// Padding is never touched: a row walks only the taps that lie inside of the input.
#pragma once

#include <cstdint>

#include "cpu/conv.h"
#include "cpu/epilogue.h"
#include "cpu/isa.h"

namespace symk::cpu {

struct TapRange {
  const ConvTap* taps;  // by offset
  int64_t count;
};

/// Where one row of results looks. Result t sees, for taps (p, r, k), the pixel of x at plane
/// `plane` + p.offset, row `row` + r.offset, column t * input_step + k.offset, together with the
/// element (p.kernel, r.kernel, k.kernel) of the kernel. Taps of planes and rows lie inside of x;
/// those of columns need not.
template <class T>
struct DepthwiseRow {
  const T* x;
  int64_t x_plane, x_row, x_pixel;  // elements from one plane, row and pixel of x to the next
  int64_t width;           // columns of x
  int64_t channels;
  int64_t w_plane, w_row;  // elements from one plane and row of the kernel to the next
  int64_t plane, row;
  TapRange planes, rows, columns;
  int64_t count, input_step;
};

template <class T>
struct DepthwiseFunctions {
  /// y[t * y_step] = the sum over taps of x * w, and its epilogue, for all results of a row.
  void (*gather)(const DepthwiseRow<T>& row, const T* w, const Epilogue<T>& epilogue, T* y,
                 int64_t y_step);
  /// Adds x * g to the sums of each element of the kernel; g are `count` pixels.
  void (*add_products)(const DepthwiseRow<T>& row, const T* g, T* sums);
  /// Each channel of `pixels` x `channels` elements `times` times; pixels of the result are `step`
  /// apart.
  void (*repeat)(const T* from, int64_t pixels, int64_t channels, int64_t times, T* to,
                 int64_t step);
  /// The sums of `times` neighbours; pixels of the result are `step` apart.
  void (*add_neighbours)(const T* from, int64_t pixels, int64_t channels, int64_t times, T* to,
                         int64_t step);
};

struct DepthwiseKernels {
  DepthwiseFunctions<float> float32;
  DepthwiseFunctions<double> float64;
  template <Isa isa>
  static const DepthwiseKernels& of();
};
template <>
const DepthwiseKernels& DepthwiseKernels::of<Isa::portable>();
template <>
const DepthwiseKernels& DepthwiseKernels::of<Isa::avx2>();
template <>
const DepthwiseKernels& DepthwiseKernels::of<Isa::avx512>();

}  // namespace symk::cpu
