// The functions of convolutions whose groups have few channels, depthwise ones first, for one
// instruction set; depthwise_step.cpp cuts the work.
//
// Vectors lie over the channels of the result, the lanes. At each tap a lane gathers `depth`
// channels of its group: channel j of lane l is l / width * depth + j of the source. Where both are
// 1 the source is read in place; otherwise, and where many rows of taps would read each pixel from
// L2, some lanes at a time are copied to scratch, one lane-shaped copy per j, and those are
// gathered.
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

/// A tap, and one of the channels there: elements from where a result looks, and from the first of
/// its weights.
struct LaneTap {
  int64_t pixel, weight;
};

/// Some rows of results of one plane. Result (i, t) sees, for taps (p, r, k), the pixel of x at
/// plane `plane` + p.offset, row `row` + i * row_step + r.offset, column t * column_step +
/// k.offset. Weights of tap (p, r, k), channel j are lanes elements from p.kernel * w_plane +
/// r.kernel * w_row
/// + (k.kernel * depth + j) * lanes on.
template <class T>
struct LaneJob {
  const T* x;  // a volume of planes x rows x columns pixels
  int64_t x_planes, x_rows, x_columns;
  int64_t lanes, width, depth;
  TapRange planes, rows, columns;
  bool adjacent;             // taps of columns look at neighbouring pixels
  const LaneTap* lane_taps;  // of one row: `depth` for each tap of the columns, in their order
  LaneTap* all_taps;         // scratch for those of all rows and planes, and `depth` for each row
  int64_t w_plane, w_row;
  int64_t plane, row, row_step, column_step;
  int64_t row_count, column_count;
  int64_t copied_lanes;  // at once; 0: x is read in place
  bool is_far;           // x and the results are larger than the near caches
  T* scratch;            // for copies
};

template <class T>
struct DepthwiseFunctions {
  int64_t vector_lanes;
  int64_t block_columns;  // results that are gathered together
  /// y[i * y_row + t * y_pixel] = the sum over taps of x * w, and its epilogue. y is contiguous
  /// where there is an epilogue.
  void (*gather)(const LaneJob<T>& job, const T* w, const Epilogue<T>& epilogue, T* y,
                 int64_t y_row, int64_t y_pixel);
  /// Adds x * g to the sums of each weight; g are the gradients of the results, contiguous.
  void (*add_products)(const LaneJob<T>& job, const T* g, T* sums);
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
