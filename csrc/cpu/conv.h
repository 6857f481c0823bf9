// The functions of convolutions for one instruction set; conv_step.cpp and conv_kernel_step.cpp cut
// the work.
#pragma once

#include <cstdint>

#include "cpu/epilogue.h"
#include "cpu/isa.h"

namespace symk::cpu {

/// Along one axis: an element of the kernel, and where it looks from a position that is gathered.
struct ConvTap {
  int64_t offset, kernel;
};

/// Some neighbouring taps of a job.
struct SomeTaps {
  int64_t first, count;
};

/// `blocks` products of one shape, with the same B: C[p] = A[p] B, and its epilogue. Row i of A[p]
/// gathers `depth` elements, a_depth apart, at each tap: they begin at a + p * a_block + i * a_row
/// + taps[t]. One of a_row and a_depth is 1. For a convolution a block is an output row; for its
/// gradient by the kernel, a row of the kernel.
template <class T>
struct TapJob {
  const T* a;
  int64_t a_block, a_row, a_depth;
  const int64_t* taps;
  int64_t tap_count, depth;
  const SomeTaps* ranges = nullptr;  // the taps that are gathered, for each block; null: all
  const T* b;  // panels of packed columns, each `panel_step` elements behind the one before
  int64_t panel_step;
  const T* b_end;  // panels before this one will be wanted soon, also behind those of this job
  T* c;
  int64_t c_block, c_row;
  int64_t blocks, m, n;
  bool accumulate;       // add to what is in C
  bool pairs = false;    // A and B hold pairs of bfloat16 (bfloat16.h); T is float
  Epilogue<T> epilogue;  // of all blocks
};

/// Neighbouring products of a pixel and where those of pixel 0 go.
struct ScatterPiece {
  int64_t from, to;
};

/// Products of the pixels of a row: some pieces of each are added to places that are `step` further
/// on from pixel to pixel.
template <class T>
struct ScatterJob {
  static constexpr int64_t kMostPieces = 16;
  const T* products;
  int64_t pixel;  // products of one to those of the next
  int64_t count;  // pixels
  int64_t piece;  // elements of a piece
  int64_t step;
  int64_t pieces;
  ScatterPiece piece_list[kMostPieces];
};

template <class T>
struct ConvFunctions {
  int64_t tile_rows, tile_columns;
  /// Packs B (k x n; element (d, j) at b[d * row + j * column], one of the strides is 1) as panels.
  void (*pack)(const T* b, int64_t row, int64_t column, int64_t k, int64_t n, T* packed,
               int64_t panel_step);
  void (*run)(const TapJob<T>& job);
  void (*scatter)(const ScatterJob<T>& job, T* to);
};

struct ConvKernels {
  ConvFunctions<float> float32;
  ConvFunctions<double> float64;
  ConvFunctions<float> bfloat16;  // of pairs
  template <Isa isa>
  static const ConvKernels& of();
};
template <>
const ConvKernels& ConvKernels::of<Isa::portable>();
template <>
const ConvKernels& ConvKernels::of<Isa::avx2>();
template <>
const ConvKernels& ConvKernels::of<Isa::avx512>();

}  // namespace symk::cpu
